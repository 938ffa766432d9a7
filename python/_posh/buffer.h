/* SPDX-License-Identifier: MIT */
/* buffer.h - what buffer.c, bufferitem.c and kindbuffer.c share. */
#ifndef POSH_BUFFER_H
#define POSH_BUFFER_H

#include "sharing.h"

/* A proxy of a buffer: a bytearray, an array.array, or what is behind a
 * numpy.ndarray, by its meta: None for the first, a type code for the second,
 * a tuple for the third. */
typedef struct {
	proxy_object p;
	PyObject *meta;     /* strong */
	PyObject *view;     /* of an ndarray: a weak reference, or NULL */
	Py_ssize_t exports; /* views of this process */
	Py_ssize_t itemsize;
	char format[2];
} buffer_object;

/* Return the proxy of a buffer that has none, consuming the hold. */
PyObject *buffer_new(heap_object *heap, posh_handle o);

/* Return what stands for a buffer's proxy: itself, or the ndarray that shows
 * it.  Steals the reference. */
PyObject *buffer_present(PyObject *proxy);

/* Make a buffer of so many zero bytes, of a copy of bytes, or of another's
 * blob (kindbuffer.c): 0, and a hold of *o, or -1. */
int buffer_create(heap_object *heap, PyObject *meta, PyObject *source,
		  posh_handle *o);

/* If x is such an ndarray, return its proxy, borrowed, or NULL. */
buffer_object *buffer_behind(PyObject *x);

/* How many bytes there are: negative with an exception. */
Py_ssize_t buffer_bytes(buffer_object *b);

/* Return all bytes as of one moment. */
PyObject *buffer_snapshot(buffer_object *b);

/* Items (bufferitem.c): one of a type code from memory, and to it.  The size
 * of an item; 0: there is no such code. */
Py_ssize_t item_size(char code);
PyObject *item_get(char code, const void *p);

/* 1, 0 if the builtin has to do it, or -1. */
int item_set(char code, void *p, PyObject *x);

#endif

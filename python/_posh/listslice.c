/* SPDX-License-Identifier: MIT */
/* listslice.c - slices of a shared list: read, assigned, and deleted.
 *
 * New values are encoded before the monitor is entered, for that may run
 * anybody's code.  Inside it a run of elements is replaced by one splice,
 * so that a slice with a step is as atomic as one without: the elements
 * between are written again.
 */
#include "list.h"

struct slice {
	Py_ssize_t start, stop, step;
	Py_ssize_t count; /* of elements in it */
};

static int
unpack(PyObject *slice, struct slice *s)
{
	s->count = 0;
	return PySlice_Unpack(slice, &s->start, &s->stop, &s->step);
}

/* Fit the slice to a length, as list does for assignment. */
static void
adjust(struct slice *s, Py_ssize_t length)
{
	s->count = PySlice_AdjustIndices(length, &s->start, &s->stop, s->step);
	if (s->step == 1 && s->stop < s->start)
		s->stop = s->start;
}

/*
 * Reading.
 */

enum { TRIES = 3 };

/* Read a run whose place was found at a version.  Gives NULL without an
 * exception if that has passed. */
static PyObject *
read_run(proxy_object *p, const struct slice *s, uint64_t version)
{
	size_t n = (size_t)s->count;
	struct posh_value *v = PyMem_Malloc(n * sizeof(*v) + 1);
	PyObject *list = NULL;
	uint64_t now;
	int64_t got;

	if (!v)
		return PyErr_NoMemory();
	CALL(got, posh_list_read(HEAP(p), p->handle, (size_t)s->start, n, 0, v,
				 &now));
	if (got < 0)
		proxy_error(p, got);
	else if (now == version && (size_t)got == n)
		list = value_decode_list(p->heap, v, n);
	else
		value_drop_array(p->heap, v, (size_t)got);
	PyMem_Free(v);
	return list;
}

PyObject *
list_slice_get(proxy_object *p, PyObject *slice)
{
	struct slice given, s;
	uint64_t version;
	PyObject *list;
	PyObject *part;
	int64_t n;
	int i;

	if (unpack(slice, &given) < 0)
		return NULL;
	for (i = 0; i < TRIES; i++) {
		s = given;
		version = posh_object_version(HEAP(p), p->handle);
		CALL(n, posh_list_len(HEAP(p), p->handle));
		if (n < 0)
			return proxy_error(p, n);
		adjust(&s, (Py_ssize_t)n);
		if (s.step != 1 || s.count > n / 2)
			break;
		if (s.count == 0)
			return PyList_New(0);
		list = read_run(p, &s, version);
		if (list || PyErr_Occurred())
			return list;
	}
	list = list_snapshot(p);
	if (!list)
		return NULL;
	adjust(&given, PyList_GET_SIZE(list));
	if (given.step == 1 && given.count == PyList_GET_SIZE(list))
		return list;
	part = PyObject_GetItem(list, slice);
	Py_DECREF(list);
	return part;
}

/*
 * Assignment and deletion.
 */

static int
splice(proxy_object *p, Py_ssize_t from, Py_ssize_t to, struct posh_value *v,
       size_t n)
{
	int rc;

	WRITE(p, rc,
	      posh_list_splice(HEAP(p), p->handle, (size_t)from, (size_t)to, v,
			       n));
	return rc ? proxy_failed(p, rc) : 0;
}

static bool
selected(const struct slice *s, Py_ssize_t i, Py_ssize_t *which)
{
	*which = (i - s->start) / s->step;
	return (i - s->start) % s->step == 0 && *which >= 0 &&
	       *which < s->count;
}

/* Replace the elements in the slice by v, or with v NULL take them out,
 * writing the run that they lie in.  The monitor is ours. */
static int
rewrite(proxy_object *p, const struct slice *s, const struct posh_value *v,
	encoder *e)
{
	Py_ssize_t last = s->start + (s->count - 1) * s->step;
	Py_ssize_t lo = s->step > 0 ? s->start : last;
	Py_ssize_t hi = (s->step > 0 ? last : s->start) + 1;
	PyObject *old = list_snapshot(p);
	struct posh_value *run;
	Py_ssize_t i, which;
	size_t n = 0;

	if (!old)
		return -1;
	if (encoder_keep(e, old) < 0)
		return -1;
	run = encoder_alloc(e, (size_t)(hi - lo) * sizeof(*run));
	if (!run)
		return -1;
	for (i = lo; i < hi; i++) {
		if (!selected(s, i, &which)) {
			if (value_encode(p->heap, PyList_GET_ITEM(old, i),
					 &run[n++], e) < 0)
				return -1;
		} else if (v) {
			run[n++] = v[which];
		}
	}
	return splice(p, lo, hi, run, n);
}

static int
assign_locked(proxy_object *p, struct slice *s, struct posh_value *v,
	      Py_ssize_t n, encoder *e)
{
	int64_t length;

	CALL(length, posh_list_len(HEAP(p), p->handle));
	if (length < 0)
		return proxy_failed(p, length);
	adjust(s, (Py_ssize_t)length);
	if (s->step == 1)
		return splice(p, s->start, s->stop, v, (size_t)n);
	if (n != s->count) {
		PyErr_Format(PyExc_ValueError,
			     "attempt to assign sequence of size %zd to "
			     "extended slice of size %zd",
			     n, s->count);
		return -1;
	}
	return n ? rewrite(p, s, v, e) : 0;
}

/* Raise what a list says to a value that can't be iterated over. */
static void
refuse(PyObject *slice, PyObject *value)
{
	PyObject *list = PyList_New(0);

	PyErr_Clear();
	if (list)
		PyObject_SetItem(list, slice, value);
	Py_XDECREF(list);
}

/* Take the values to assign into a list or tuple of our own. */
static PyObject *
drain(PyObject *slice, PyObject *value)
{
	PyObject *items;

	if (is_list_proxy(posh_state, value))
		return list_snapshot((proxy_object *)value);
	items = PySequence_Tuple(value);
	if (!items && PyErr_ExceptionMatches(PyExc_TypeError) &&
	    !Py_TYPE(value)->tp_iter && !PySequence_Check(value))
		refuse(slice, value);
	return items;
}

int
list_slice_set(proxy_object *p, PyObject *slice, PyObject *value)
{
	PyObject *items;
	struct posh_value *v;
	struct slice s;
	encoder e;
	Py_ssize_t n;
	int rc = -1;

	if (unpack(slice, &s) < 0)
		return -1;
	items = drain(slice, value);
	if (!items)
		return -1;
	encoder_init(&e, p->heap);
	n = PySequence_Fast_GET_SIZE(items);
	v = value_encode_array(p->heap, PySequence_Fast_ITEMS(items), (size_t)n,
			       &e);
	if (v && proxy_lock(p) == 0) {
		rc = assign_locked(p, &s, v, n, &e);
		proxy_unlock(p);
	}
	encoder_clear(&e);
	Py_DECREF(items);
	return rc;
}

static int
delete_locked(proxy_object *p, struct slice *s, encoder *e)
{
	int64_t length;
	int rc;

	CALL(length, posh_list_len(HEAP(p), p->handle));
	if (length < 0)
		return proxy_failed(p, length);
	adjust(s, (Py_ssize_t)length);
	if (!s->count)
		return 0;
	if (s->step == -1) {
		s->start -= s->count - 1;
		s->step = 1;
	}
	if (s->step != 1 && s->count > 1)
		return rewrite(p, s, NULL, e);
	WRITE(p, rc,
	      posh_list_delete(HEAP(p), p->handle, (size_t)s->start,
			       (size_t)(s->start + s->count)));
	return rc ? proxy_failed(p, rc) : 0;
}

int
list_slice_delete(proxy_object *p, PyObject *slice)
{
	struct slice s;
	encoder e;
	int rc;

	if (unpack(slice, &s) < 0 || proxy_lock(p) < 0)
		return -1;
	encoder_init(&e, p->heap);
	rc = delete_locked(p, &s, &e);
	proxy_unlock(p);
	encoder_clear(&e);
	return rc;
}

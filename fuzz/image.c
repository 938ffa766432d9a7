/* SPDX-License-Identifier: MIT */
/* image.c - heaps of all kinds of objects, whole and half-way, and damage. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "layout.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

/*
 * What is in them
 */

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

/* The name of an attribute. */
static struct posh_value
attribute(const char *s)
{
	struct posh_value v = text(s);

	v.type = POSH_STR;
	v.width = 1;
	return v;
}

/* The object of this name in the root; the caller gives the hold back. */
static posh_handle
named(posh_heap *h, const char *name)
{
	struct posh_value key = text(name), v;

	if (posh_dict_get(h, posh_heap_place(h, POSH_ROOT), &key, &v))
		abort();
	return v.object;
}

static void
put(posh_heap *h, const char *name, struct posh_value v)
{
	struct posh_value key = text(name);

	if (posh_dict_set(h, posh_heap_place(h, POSH_ROOT), &key, &v) < 0)
		abort();
}

static void
fill_list(posh_heap *h, posh_handle list)
{
	struct posh_value inner[2] = {posh_int(7), text("an inner text")};
	struct posh_value typed[2] = {text("a class"), posh_int(7)};
	struct posh_value v[9] = {
		posh_none(),
		posh_int(-3),
		posh_float(2.5),
		text("tiny"),
		text("a text that is too long for a word"),
		posh_bytes("\0\1\2\3\4\5\6\7\10", 9),
		{.type = POSH_TUPLE, .size = 2, .items = inner},
		posh_fresh(POSH_KIND_LIST),
		{.type = POSH_TUPLE,
		 .width = POSH_FORM_TYPED,
		 .size = 2,
		 .items = typed},
	};

	posh_list_extend(h, list, v, 9);
}

static void
fill_dict(posh_heap *h, posh_handle dict)
{
	static const char *const keys[] = {
		"a", "b", "a longer key",    "another",
		"x", "y", "not the last key"};
	struct posh_value tuple[2] = {posh_int(1), posh_object(dict)};
	struct posh_value item[2] = {
		text("itself"),
		{.type = POSH_TUPLE, .size = 2, .items = tuple},
	};
	size_t i;

	for (i = 0; i < ITEMS(keys); i++) {
		struct posh_value k = text(keys[i]), v = posh_int((int)i);

		posh_dict_set(h, dict, &k, &v);
	}
	posh_dict_update(h, dict, item, 1, 0);
	item[0] = text("b");
	posh_dict_pop(h, dict, item, NULL);
}

static void
fill_buffer(posh_heap *h, posh_handle buffer)
{
	struct posh_value meta = text("the meta of a buffer");
	posh_handle blob;

	if (posh_blob_new(h, 100, &blob))
		abort();
	posh_buffer_init(h, buffer, blob, &meta);
	posh_object_drop(h, blob);
}

static void
fill_set(posh_heap *h, posh_handle set)
{
	struct posh_value item[6] = {
		text("a"),       posh_bool(true),  text("a longer key"),
		posh_bool(true), posh_object(set), posh_bool(true)};

	posh_dict_update(h, set, item, 3, 0);
}

/* Its ring begins in its middle. */
static void
fill_deque(posh_heap *h, posh_handle deque)
{
	struct posh_value left[3] = {posh_int(1), text("on the left"),
				     posh_object(deque)};
	struct posh_value right[3] = {text("on the right of a deque"),
				      posh_int(2), posh_none()};

	posh_deque_bound(h, deque, 10);
	posh_deque_extendleft(h, deque, left, 3);
	posh_deque_extend(h, deque, right, 3);
}

static void
fill(posh_heap *h)
{
	static const char big[200000];
	struct posh_value v, name = attribute("slot");
	posh_handle cls, o, extra;

	put(h, "list", posh_fresh(POSH_KIND_LIST));
	put(h, "dict", posh_fresh(POSH_KIND_DICT));
	o = named(h, "list");
	fill_list(h, o);
	posh_object_drop(h, o);
	o = named(h, "dict");
	fill_dict(h, o);
	posh_object_drop(h, o);
	put(h, "buffer", posh_fresh(POSH_KIND_BUFFER));
	o = named(h, "buffer");
	fill_buffer(h, o);
	posh_object_drop(h, o);
	put(h, "set", posh_fresh(POSH_KIND_SET));
	o = named(h, "set");
	fill_set(h, o);
	posh_object_drop(h, o);
	put(h, "deque", posh_fresh(POSH_KIND_DEQUE));
	o = named(h, "deque");
	fill_deque(h, o);
	posh_object_drop(h, o);
	put(h, "big", posh_bytes(big, sizeof(big)));
	if (posh_class_intern(h, "Class", &cls) ||
	    posh_class_slot(h, cls, &name, 1) < 0 ||
	    posh_instance_new(h, cls, 3, &o))
		abort();
	v = text("the value of a slot");
	posh_instance_set(h, o, 1, &v);
	if (posh_instance_extra(h, o, 1, &extra) == 0)
		posh_object_drop(h, extra);
	put(h, "instance", posh_object(o));
	posh_object_drop(h, o);
}

/*
 * What somebody is in the middle of
 */

static void
op_insert(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value v = text("a value to be inserted");

	(void)dict;
	posh_list_insert(h, list, 2, &v);
}

static void
op_append(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value v = posh_object(dict);

	posh_list_append(h, list, &v);
}

static void
op_extend(posh_heap *h, posh_handle list, posh_handle dict)
{
	(void)dict;
	fill_list(h, list);
}

static void
op_delete(posh_heap *h, posh_handle list, posh_handle dict)
{
	(void)dict;
	posh_list_delete(h, list, 3, 6);
}

static void
op_splice(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value v[2] = {text("one of two texts"), posh_object(dict)};

	posh_list_splice(h, list, 1, 4, v, 2);
}

static void
op_set(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value k = text("a new key"), v = posh_object(list);

	posh_dict_set(h, dict, &k, &v);
}

static void
op_pop(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value k = text("itself");

	(void)list;
	posh_dict_pop(h, dict, &k, NULL);
}

static void
op_update(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value item[] = {
		text("a"),         text("another value"),
		text("a new key"), posh_object(list),
		text("z"),         posh_int(3),
	};

	posh_dict_update(h, dict, item, 3, 0);
}

static void
op_bytes(posh_heap *h, posh_handle list, posh_handle dict)
{
	posh_handle o = named(h, "buffer");

	(void)list;
	(void)dict;
	posh_buffer_splice(h, o, 10, 20, "so many bytes and no more", 20);
	posh_buffer_splice(h, o, 10, 3, "other bytes", 11);
}

static void
op_move(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value k = text("another");

	(void)list;
	posh_dict_move(h, dict, &k, POSH_FIRST);
	posh_dict_move(h, dict, &k, POSH_LAST);
	posh_dict_popfirst(h, dict, NULL, NULL);
}

static void
op_inside(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value v = posh_object(list);
	posh_handle o = named(h, "deque");

	(void)dict;
	posh_deque_insert(h, o, 2, &v);
	posh_deque_delete(h, o, -3);
}

static void
op_turn(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value v[6] = {
		posh_int(1), text("a text that comes in on a side"),
		posh_int(3), posh_object(dict),
		posh_int(5), posh_object(list),
	};
	posh_handle o = named(h, "deque");

	posh_deque_rotate(h, o, 2);
	posh_deque_extend(h, o, v, 6);
	posh_deque_reverse(h, o);
}

static void
op_replace(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value item[] = {text("a"), posh_object(list)};

	posh_dict_update(h, dict, item, 1, POSH_REPLACE);
}

static void
op_destroy(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value k = text("list");

	(void)dict;
	posh_dict_pop(h, posh_heap_place(h, POSH_ROOT), &k, NULL);
	posh_object_drop(h, list);
}

static void
op_large(posh_heap *h, posh_handle list, posh_handle dict)
{
	struct posh_value k = text("big"), v = text("not so big");

	(void)list;
	(void)dict;
	posh_dict_set(h, posh_heap_place(h, POSH_ROOT), &k, &v);
}

static void
op_collect(posh_heap *h, posh_handle list, posh_handle dict)
{
	posh_object_drop(h, dict);
	op_destroy(h, list, dict);
	posh_heap_collect(h);
}

static void
op_leave(posh_heap *h, posh_handle list, posh_handle dict)
{
	(void)list;
	posh_object_lock(h, dict, -1);
	posh_heap_close(h);
}

typedef void op(posh_heap *h, posh_handle list, posh_handle dict);

static op *const ops[] = {
	op_insert, op_append, op_extend,  op_delete,  op_splice, op_set,
	op_pop,    op_update, op_replace, op_destroy, op_large,  op_collect,
	op_leave,  op_bytes,  op_move,    op_inside,  op_turn,
};

/*
 * Taking the pictures
 */

enum { MOMENTS = 4, IMAGES = 1 + MOMENTS * ITEMS(ops) };

static struct image images[IMAGES];
static size_t made;
static long *steps; /* shared: how many have been made, and may be */

static void
step(const char *name)
{
	(void)name;
	if (++steps[0] == steps[1])
		raise(SIGKILL);
}

/* A child opens the heap, and dies at that step of an operation. */
static void
die(int fd, op *f, long at)
{
	posh_handle list, dict;
	posh_heap *h;
	pid_t pid = fork();

	if (pid > 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	if (pid < 0 || posh_heap_open_fd(fd, &h))
		_exit(1);
	list = named(h, "list");
	dict = named(h, "dict");
	steps[0] = 0;
	steps[1] = at;
	posh__step = step;
	f(h, list, dict);
	raise(SIGKILL);
}

static bool
is_zero(const unsigned char *p)
{
	return !p[0] && !memcmp(p, p + 1, IMAGE_PAGE - 1);
}

static void
add_page(struct image *im, const unsigned char *page, off_t at)
{
	size_t n = im->pages++;

	if (n % 64 == 0) {
		im->data = realloc(im->data, (n + 64) * sizeof(*im->data));
		im->at = realloc(im->at, (n + 64) * sizeof(*im->at));
	}
	if (!im->data || !im->at)
		abort();
	im->at[n] = (uint64_t)at;
	memcpy(im->data[n], page, IMAGE_PAGE);
}

static void
take(int fd, struct image *im)
{
	off_t end = lseek(fd, 0, SEEK_END), at = 0;
	unsigned char page[IMAGE_PAGE];

	if (end <= 0)
		abort();
	im->size = (uint64_t)end;
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && at < end) {
		if (pread(fd, page, IMAGE_PAGE, at) != IMAGE_PAGE)
			abort();
		if (!is_zero(page))
			add_page(im, page, at);
		at += IMAGE_PAGE;
	}
}

/* A heap that nobody is in; its file. */
static int
whole(void)
{
	struct posh_options o = {.size = sizeof(o), .max_size = 4 << 20};
	posh_heap *h;
	int fd;

	if (posh_heap_create(&o, &h))
		abort();
	fill(h);
	fd = dup(posh_heap_fileno(h));
	posh_heap_close(h);
	return fd;
}

static void
take_moments(op *f)
{
	long all, k;
	int fd = image_file(NULL, 0);

	die(fd, f, -1);
	close(fd);
	all = steps[0];
	for (k = 0; k < MOMENTS; k++) {
		fd = image_file(NULL, 0);
		die(fd, f, 1 + all * k / MOMENTS);
		take(fd, &images[made++]);
		close(fd);
	}
}

size_t
images_make(void)
{
	size_t i;
	int fd;

	if (steps)
		return made;
	steps = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (steps == MAP_FAILED)
		abort();
	fd = whole();
	take(fd, &images[made++]);
	close(fd);
	for (i = 0; i < ITEMS(ops); i++)
		take_moments(ops[i]);
	return made;
}

const struct image *
image_get(size_t i)
{
	return &images[i % images_make()];
}

/*
 * Damage
 */

/* Where the recipe's words lie. */
enum { ANYWHERE, HEADER, MEMBERS, THREADS, SPANS, BLOCKS, FRONTS, PLACES };

static uint64_t
read_number(const uint8_t *p, int bytes)
{
	uint64_t n = 0;

	while (bytes-- > 0)
		n = n << 8 | p[bytes];
	return n;
}

/* The offset of the nth word of the image that is on a page with something
 * on it, beginning with page first. */
static uint64_t
nth_word(const struct image *im, size_t first, uint64_t n)
{
	uint64_t words = IMAGE_PAGE / 8;
	size_t pages = im->pages - first;

	return im->at[first + n / words % pages] + n % words * 8;
}

static size_t
first_page(const struct image *im, uint64_t off)
{
	size_t i;

	for (i = 0; i < im->pages; i++)
		if (im->at[i] >= off)
			return i;
	return 0;
}

/* The nth word that is not 0, of the pages from first on. */
static uint64_t
nth_nonzero(const struct image *im, size_t first, uint64_t n)
{
	uint64_t words = IMAGE_PAGE / 8, all = (im->pages - first) * words, k;

	for (k = 0; k < all; k++) {
		size_t page = first + (n + k) / words % (im->pages - first);
		uint64_t w, at = (n + k) % words * 8;

		memcpy(&w, im->data[page] + at, 8);
		if (w)
			return im->at[page] + at;
	}
	return 0;
}

static uint64_t
locate(const struct image *im, unsigned where, uint64_t n)
{
	const struct posh__header *hdr = (const void *)im->data[0];
	size_t data = first_page(im, hdr->first << POSH__SPAN_BITS);
	uint64_t spans = (hdr->size >> POSH__SPAN_BITS) - hdr->first;

	switch (where) {
	case HEADER:
		return n * 8 % sizeof(*hdr);
	case MEMBERS:
		return hdr->members_off + n * 8 % (4 * 256);
	case THREADS:
		return hdr->threads_off + 512 + n * 8 % (4 * 512);
	case SPANS:
		return hdr->spans_off + (hdr->first + n % spans) * 8;
	case BLOCKS:
		return nth_nonzero(im, data, n);
	case FRONTS: /* of spans */
		return ((hdr->first + n / 16 % spans) << POSH__SPAN_BITS) +
		       n % 16 * 8;
	case PLACES:
		return hdr->bits_off + n % 64 * 8;
	default:
		return nth_word(im, 0, n);
	}
}

static void
change(int fd, const struct image *im, const uint8_t *r)
{
	uint64_t n = read_number(r + 1, 3), v = read_number(r + 4, 8), w = 0;
	uint64_t off = locate(im, r[0] & 7, n), from;

	if (pread(fd, &w, 8, (off_t)off) != 8)
		return;
	switch (r[0] >> 3 & 7) {
	case 0:
		w = v;
		break;
	case 1:
		w += (uint64_t)(int64_t)(int8_t)v * (v >> 8 & 1 ? 16 : 1);
		break;
	case 2:
		w ^= UINT64_C(1) << v % 64;
		break;
	case 3: /* a word from elsewhere */
		from = locate(im, v >> 56 & 7, v & 0xffffff);
		if (pread(fd, &w, 8, (off_t)from) != 8)
			return;
		break;
	case 4: /* half of it */
		w = (w & UINT64_C(0xffffffff00000000)) | (uint32_t)v;
		break;
	case 5: /* a small number */
		w = v & 0xff;
		break;
	case 6: /* a handle, with the tag of the word */
		w = (w & ~POSH__HANDLE_MASK) |
		    (locate(im, BLOCKS, v & 0xffffff) & ~UINT64_C(15));
		break;
	default: /* kind and flags */
		w = (w & 0xffffffff) | (v & 0x3f) << 32 |
		    (v >> 8 & 0xffff) << 48;
	}
	if (pwrite(fd, &w, 8, (off_t)off) != 8)
		abort();
}

int
image_file(const uint8_t *recipe, size_t size)
{
	const struct image *im = image_get(size ? recipe[0] : 0);
	int fd = memfd_create("damaged", MFD_CLOEXEC);
	size_t i;

	if (fd < 0 || ftruncate(fd, (off_t)im->size))
		abort();
	for (i = 0; i < im->pages; i++)
		if (pwrite(fd, im->data[i], IMAGE_PAGE, (off_t)im->at[i]) !=
		    IMAGE_PAGE)
			abort();
	for (i = 1; i + RECIPE <= size; i += RECIPE)
		change(fd, im, recipe + i);
	return fd;
}

/* SPDX-License-Identifier: MIT */
/* Kill a process after each step of each operation; another recovers.
 *
 * For every scenario and n = 1, 2, 3...: a child begins the operation and
 * dies at its nth step, until one outlives it.  Each time the parent recovers
 * the child, and then: every invariant holds, the containers are as before
 * the operation or as after it, and when all is dropped the heap has as many
 * live bytes as an empty one.
 */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "posh.h"
#include "ref.h"
#include "tap.h"

enum { MAX_NAMES = 400, NAME = 24 };

struct shared {
	long steps;      /* that the child has made */
	bool died;       /* it, or a child of its own */
	char last[NAME]; /* the name of the last */
	uint64_t bytes;  /* of a child for its parent */
};

static struct shared *shared;
static long left; /* steps left to live; 0: for ever */
static char names[MAX_NAMES][NAME];
static int nnames;

static void
die_in_time(const char *name)
{
	shared->steps++;
	if (!shared->died)
		strncpy(shared->last, name, NAME - 1);
	if (left && --left == 0) {
		shared->died = true;
		raise(SIGKILL);
	}
}

static void
note_name(const char *name)
{
	int i;

	for (i = 0; i < nnames; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (nnames < MAX_NAMES)
		snprintf(names[nnames++], NAME, "%s", name);
}

/* What a scenario works with: a list and a dict in the root, and an object
 * that nobody refers to but the process. */
struct world {
	posh_heap *h;
	posh_handle list, dict, own, inst, cls;
};

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

static void
set(struct world *w, posh_handle d, const char *key, struct posh_value v)
{
	struct posh_value k = text(key);

	if (posh_dict_set(w->h, d, &k, &v) < 0)
		exit(3);
}

static void
append(struct world *w, posh_handle l, struct posh_value v)
{
	if (posh_list_append(w->h, l, &v))
		exit(3);
}

static posh_handle
append_new(struct world *w, posh_handle l, enum posh_kind kind)
{
	struct posh_value v = posh_fresh(kind);

	if (posh_list_append(w->h, l, &v))
		exit(3);
	return v.object;
}

/* A graph: a list of lists of texts, three deep. */
static void
grow_graph(struct world *w, posh_handle l, int depth)
{
	int i;

	for (i = 0; i < 3; i++) {
		append(w, l, text("a text that is boxed"));
		if (depth)
			grow_graph(w, append_new(w, l, POSH_KIND_LIST),
				   depth - 1);
	}
}

static void
world_open(struct world *w)
{
	struct posh_options opts = {sizeof(opts), 256 << 20, 0, 0};
	posh_handle root;
	int i;

	if (posh_heap_create(&opts, &w->h))
		exit(3);
	root = posh_heap_place(w->h, POSH_ROOT);
	if (posh_list_new(w->h, &w->list) || posh_dict_new(w->h, &w->dict) ||
	    posh_list_new(w->h, &w->own) ||
	    posh_class_intern(w->h, "crash.Dog", &w->cls) ||
	    posh_instance_new(w->h, w->cls, 4, &w->inst))
		exit(3);
	set(w, root, "list", posh_object(w->list));
	set(w, root, "dict", posh_object(w->dict));
	set(w, root, "instance", posh_object(w->inst));
	for (i = 0; i < 4; i++) {
		append(w, w->list, posh_int(i));
		append(w, w->list, text("an element of the list"));
	}
	append_new(w, w->list, POSH_KIND_DICT);
	set(w, w->dict, "a", posh_int(1));
	set(w, w->dict, "the second key", text("the second value"));
	set(w, w->dict, "third", posh_fresh(POSH_KIND_LIST));
	grow_graph(w, w->own, 2);
}

/* Digest: what two states of the world are compared by. */

static uint64_t digest_of(posh_heap *h, const struct posh_value *v, int depth);

static uint64_t
mix(uint64_t a, uint64_t b)
{
	a ^= b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2);
	return a * UINT64_C(0xff51afd7ed558ccd);
}

static uint64_t
digest_array(posh_heap *h, struct posh_value *v, int64_t n, int depth)
{
	uint64_t d = (uint64_t)n;
	int64_t i;

	/* Data lies in the thread's buffer: first what is there. */
	for (i = 0; i < n; i++)
		if (v[i].type != POSH_OBJECT)
			d = mix(d, mix((uint64_t)i, digest_of(h, &v[i], 0)));
	for (i = 0; i < n; i++)
		if (v[i].type == POSH_OBJECT) {
			d = mix(d,
				mix((uint64_t)i, digest_of(h, &v[i], depth)));
			posh_object_drop(h, v[i].object);
		}
	free(v);
	return d;
}

static uint64_t
digest_instance(posh_heap *h, posh_handle o)
{
	struct posh_value v;
	uint64_t d = 5;
	size_t i;

	for (i = 0; i < 4; i++)
		if (posh_instance_get(h, o, i, &v) == 0) {
			d = mix(d, mix(i, digest_of(h, &v, 3)));
			if (v.type == POSH_OBJECT)
				posh_object_drop(h, v.object);
		}
	return d;
}

static uint64_t
digest_of(posh_heap *h, const struct posh_value *v, int depth)
{
	struct posh_value *all = NULL;
	uint64_t d = v->type;
	int64_t n;
	size_t i;

	switch (v->type) {
	case POSH_STR:
		for (i = 0; i < v->size * v->width; i++)
			d = mix(d, ((const uint8_t *)v->data)[i]);
		return d;
	case POSH_OBJECT:
		if (depth <= 0)
			return d;
		if (v->kind == POSH_KIND_INSTANCE)
			return digest_instance(h, v->object);
		n = v->kind == POSH_KIND_LIST
			    ? posh_list_snapshot(h, v->object, &all, NULL)
			    : posh_dict_snapshot(h, v->object, &all, NULL);
		if (n < 0)
			return (uint64_t)n;
		if (v->kind == POSH_KIND_DICT)
			n *= 2;
		return mix(d, digest_array(h, all, n, depth - 1));
	case POSH_TUPLE:
	case POSH_BYTES:
		return mix(d, v->size);
	default:
		return mix(d, (uint64_t)v->i);
	}
}

static uint64_t
digest(struct world *w)
{
	struct posh_value v = posh_object(posh_heap_place(w->h, POSH_ROOT));

	v.kind = POSH_KIND_DICT;
	return digest_of(w->h, &v, 6);
}

/* What comes now is only preparation, until count_on. */
static void
count_off(void)
{
	posh__step = NULL;
}

static void
count_on(void)
{
	posh__step = die_in_time;
}

/* The scenarios */

static void
op_set_plain(struct world *w)
{
	struct posh_value v = posh_int(99);

	posh_list_set(w->h, w->list, 0, &v);
}

static void
op_set_text(struct world *w)
{
	struct posh_value v = text("a new text for the slot");

	posh_list_set(w->h, w->list, 1, &v);
}

static void
op_set_object(struct world *w)
{
	struct posh_value v = posh_object(w->own);

	posh_list_set(w->h, w->list, 8, &v);
}

static void
op_set_tuple(struct world *w)
{
	struct posh_value in[2] = {text("the first of two"), posh_int(2)};
	struct posh_value out[3] = {
		{0}, text("beside it, a text"), posh_object(w->own)};
	struct posh_value v = {.type = POSH_TUPLE};

	out[0].type = POSH_TUPLE;
	out[0].size = 2;
	out[0].items = in;
	v.size = 3;
	v.items = out;
	posh_list_set(w->h, w->list, 0, &v);
	v = out[0];
	posh_list_set(w->h, w->list, 0, &v);
}

static void
op_append_plain(struct world *w)
{
	append(w, w->list, posh_int(5));
}

static void
op_append_grow(struct world *w)
{
	int i;

	for (i = 0; i < 12; i++)
		append(w, w->list, text("one more, which is boxed"));
}

static void
op_extend(struct world *w)
{
	struct posh_value v[3] = {posh_int(1), text("in the middle of three"),
				  posh_fresh(POSH_KIND_DICT)};

	posh_list_extend(w->h, w->list, v, 3);
}

static void
op_insert(struct world *w)
{
	struct posh_value v = text("pushed in between");

	posh_list_insert(w->h, w->list, 2, &v);
}

static void
op_pop(struct world *w)
{
	struct posh_value v;

	posh_list_pop(w->h, w->list, 1, &v);
}

static void
op_pop_object(struct world *w)
{
	struct posh_value v;

	if (posh_list_pop(w->h, w->list, -1, &v) == 0)
		posh_object_drop(w->h, v.object);
}

static void
op_delete(struct world *w)
{
	posh_list_delete(w->h, w->list, 1, 6);
}

static void
op_clear(struct world *w)
{
	posh_list_delete(w->h, w->list, 0, SIZE_MAX);
}

static void
op_splice(struct world *w)
{
	struct posh_value v[2] = {text("spliced in as one"), posh_int(2)};

	posh_list_splice(w->h, w->list, 1, 5, v, 2);
}

static void
op_permute(struct world *w)
{
	size_t order[9] = {8, 7, 6, 5, 4, 3, 2, 1, 0};

	posh_list_permute(w->h, w->list, order, 9,
			  posh_object_version(w->h, w->list));
}

static void
op_dict_plain(struct world *w)
{
	set(w, w->dict, "a", posh_int(2));
}

static void
op_dict_new(struct world *w)
{
	set(w, w->dict, "a key that is new", text("a value that is new"));
}

static void
op_dict_grow(struct world *w)
{
	char key[40];
	int i;

	for (i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "key %d of many", i);
		set(w, w->dict, key, posh_fresh(POSH_KIND_LIST));
	}
}

static void
op_dict_pop(struct world *w)
{
	struct posh_value k = text("the second key"), v;

	posh_dict_pop(w->h, w->dict, &k, &v);
}

static void
op_dict_popitem(struct world *w)
{
	struct posh_value k, v;

	if (posh_dict_popitem(w->h, w->dict, &k, &v) == 0 &&
	    v.type == POSH_OBJECT)
		posh_object_drop(w->h, v.object);
}

static void
op_dict_clear(struct world *w)
{
	posh_dict_clear(w->h, w->dict);
}

static void
op_dict_setdefault(struct world *w)
{
	struct posh_value k = text("a default one"), v = text("its default");
	struct posh_value out;

	posh_dict_setdefault(w->h, w->dict, &k, &v, &out);
}

static void
op_dict_update(struct world *w)
{
	struct posh_value v[6] = {text("the second key"),
				  text("another second value"),
				  text("a fourth key"),
				  posh_fresh(POSH_KIND_DICT),
				  text("a"),
				  posh_int(3)};

	posh_dict_update(w->h, w->dict, v, 3, 0);
}

static void
op_dict_replace(struct world *w)
{
	struct posh_value v[4] = {text("the only key"), posh_int(1),
				  text("but for this one"),
				  text("and its value")};

	posh_dict_update(w->h, w->dict, v, 2, POSH_REPLACE);
}

static void
op_attribute(struct world *w)
{
	struct posh_value v = text("the value of a slot");

	posh_instance_set(w->h, w->inst, 1, &v);
}

static void
op_extra(struct world *w)
{
	posh_handle d;

	if (posh_instance_extra(w->h, w->inst, 1, &d) == 0)
		posh_object_drop(w->h, d);
}

static void
op_new(struct world *w)
{
	posh_handle o;
	struct posh_value v = posh_object(w->own);

	if (posh_list_new(w->h, &o))
		exit(3);
	posh_list_append(w->h, o, &v);
	posh_object_drop(w->h, o);
	if (posh_instance_new(w->h, w->cls, 3, &o))
		exit(3);
	posh_object_drop(w->h, o);
	if (posh_tuple_new(w->h, &v, 1, &o))
		exit(3);
	posh_object_drop(w->h, o);
}

/* The last reference to a graph. */
static void
op_destroy(struct world *w)
{
	posh_handle o;

	if (posh_list_new(w->h, &o))
		exit(3);
	grow_graph(w, o, 1);
	posh_object_drop(w->h, o);
}

static void
op_read(struct world *w)
{
	struct posh_value v;

	if (posh_list_get(w->h, w->list, 8, &v) == 0)
		posh_object_drop(w->h, v.object);
}

/* Runs: blocks of several spans, made and freed. */
static void
op_run(struct world *w)
{
	static char big[200000];
	struct posh_value v = posh_bytes(big, sizeof(big));

	posh_list_set(w->h, w->list, 1, &v);
	v = posh_int(1);
	posh_list_set(w->h, w->list, 1, &v);
}

/* So much that its pages go back to the system. */
static void
op_hole(struct world *w)
{
	static char big[8 << 20];
	struct posh_value v = posh_bytes(big, sizeof(big));

	count_off();
	posh_list_set(w->h, w->list, 1, &v);
	v = posh_int(1);
	posh_list_set(w->h, w->list, 1, &v);
	count_on();
	posh_heap_reap(w->h);
	v = posh_bytes(big, 1 << 20);
	posh_list_set(w->h, w->list, 1, &v);
}

/* Spans of a class, taken, emptied and given back. */
static void
op_spans(struct world *w)
{
	static char big[15000];
	struct posh_value v[12];
	int i;

	for (i = 0; i < 12; i++)
		v[i] = posh_bytes(big, sizeof(big));
	posh_list_splice(w->h, w->list, 1, 2, v, 12);
	posh_list_delete(w->h, w->list, 1, 13);
}

static void
op_transaction(struct world *w)
{
	posh_object_lock(w->h, w->list, -1);
	append(w, w->list, posh_int(1));
	posh_object_unlock(w->h, w->list);
}

static void
op_reap(struct world *w)
{
	posh_heap_reap(w->h);
	posh_heap_check(w->h, NULL, NULL);
}

static void
op_close(struct world *w)
{
	posh_heap_close(w->h);
}

/* The hold table grows. */
static void
op_holds(struct world *w)
{
	posh_handle o;
	int i;

	count_off();
	for (i = 0; i < 6130; i++)
		posh_list_new(w->h, &o);
	count_on();
	for (i = 0; i < 20; i++)
		posh_list_new(w->h, &o);
}

/* The heap grows. */
static void
op_grow(struct world *w)
{
	struct posh_value v = posh_bytes(calloc(1, 3 << 20), 3 << 20);

	posh_list_set(w->h, w->list, 1, &v);
}

/* Leave the heap, and attach again. */
static void
op_attach(struct world *w)
{
	posh_heap *h;
	int fd = dup(posh_heap_fileno(w->h));

	posh_heap_close(w->h);
	if (posh_heap_open_fd(fd, &h) == 0)
		posh_heap_close(h);
}

static void *
append_in_thread(void *arg)
{
	op_append_grow(arg);
	return NULL;
}

static void
op_thread(struct world *w)
{
	pthread_t t;

	if (pthread_create(&t, NULL, append_in_thread, w) == 0)
		pthread_join(t, NULL);
}

static void
op_create(struct world *w)
{
	posh_heap *h;

	(void)w;
	if (posh_heap_create(NULL, &h) == 0)
		posh_heap_close(h);
}

static void *
lock_in_thread(void *arg)
{
	struct world *w = arg;

	/* Until the process ends. */
	posh_object_lock(w->h, w->list, -1);
	w->cls.off = 0;
	pause();
	return NULL;
}

/* Wait for a monitor that somebody else is in. */
static void
op_wait(struct world *w)
{
	volatile uint64_t *ready = &w->cls.off;
	pthread_t t;

	count_off();
	if (pthread_create(&t, NULL, lock_in_thread, w))
		return;
	while (*ready)
		usleep(100);
	count_on();
	posh_object_lock(w->h, w->list, 8000000);
}

static void
op_fork(struct world *w)
{
	pid_t pid;

	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		append(w, w->list, posh_int(1));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* A count that is one too high, as a death leaves it. */
static void
make_suspect(struct world *w, uint64_t block)
{
	posh__word *word = posh__block_word(w->h, block);

	*word = (*word + 1) | POSH__SUSPECT;
}

static void
op_recount(struct world *w)
{
	struct posh_value v;
	posh_handle o;
	uint64_t box, n;

	count_off();
	make_suspect(w, w->list.off);
	posh_list_new(w->h, &o);
	make_suspect(w, o.off);
	posh_object_drop(w->h, o);
	/* A box that nothing refers to: the text that dies here. */
	posh_list_get(w->h, w->list, 1, &v);
	n = posh__load(&posh__object(w->h, w->list.off)->body);
	box = posh__load((posh__word *)posh__at(w->h, n + 16 + 8)) &
	      POSH__HANDLE_MASK;
	make_suspect(w, box);
	v = posh_int(1);
	posh_list_set(w->h, w->list, 1, &v);
	count_on();
	posh_heap_reap(w->h);
}

/* Circles of all kinds. */
static void
make_garbage(struct world *w)
{
	posh_handle l, d, o, x;

	posh_list_new(w->h, &l);
	posh_dict_new(w->h, &d);
	posh_instance_new(w->h, w->cls, 3, &o);
	append(w, l, posh_object(l));
	append(w, l, posh_object(d));
	append(w, l, text("a text in the garbage"));
	set(w, d, "an instance", posh_object(o));
	posh_instance_set(
		w->h, o, 0,
		&(struct posh_value){.type = POSH_OBJECT, .object = l});
	posh_instance_set(
		w->h, o, 1,
		&(struct posh_value){.type = POSH_OBJECT, .object = o});
	if (posh_instance_extra(w->h, o, 1, &x) == 0) {
		set(w, x, "round", posh_object(d));
		posh_object_drop(w->h, x);
	}
	posh_object_drop(w->h, l);
	posh_object_drop(w->h, d);
	posh_object_drop(w->h, o);
}

static void
op_collect(struct world *w)
{
	count_off();
	make_garbage(w);
	count_on();
	posh_heap_collect(w->h);
}

/* A grandchild dies in the middle of something; its recovery dies too. */
static void
recover_after(struct world *w, void (*op)(struct world *), long after)
{
	pid_t pid;
	long mine = left;
	int go[2];

	left = 0;
	if (pipe(go))
		exit(3);
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		char c;

		/* Not before the fork is over: it would see to the death. */
		if (read(go[0], &c, 1) != 1)
			exit(3);
		left = after;
		op(w);
		_exit(0);
	}
	if (write(go[1], "", 1) != 1)
		exit(3);
	close(go[0]);
	close(go[1]);
	waitpid(pid, NULL, 0);
	left = mine;
	shared->died = false;
	posh_heap_reap(w->h);
}

static void
op_recover_list(struct world *w)
{
	recover_after(w, op_splice, 30);
}

static void
op_recover_dict(struct world *w)
{
	recover_after(w, op_dict_update, 40);
}

/* A size that nothing else here has. */
static void
op_append_bytes(struct world *w)
{
	static char data[3000];

	append(w, w->list, posh_bytes(data, sizeof(data)));
}

/* A dead one's spans are taken over. */
static void
op_orphans(struct world *w)
{
	count_off();
	recover_after(w, op_append_bytes, 0);
	count_on();
	op_append_bytes(w);
}

static void
op_recover_fork(struct world *w)
{
	recover_after(w, op_fork, 12);
}

static void
op_recover_death(struct world *w)
{
	recover_after(w, op_destroy, 150);
}

static const struct scenario {
	const char *name;
	void (*op)(struct world *);
	bool many; /* several operations: any state in between is right */
} scenarios[] = {
	{"a plain value over a plain one", op_set_plain, false},
	{"a text over a text", op_set_text, false},
	{"an object over an object", op_set_object, false},
	{"a tuple with an object in it, then one without", op_set_tuple, true},
	{"append a plain value", op_append_plain, false},
	{"append until the body grows", op_append_grow, true},
	{"extend by three", op_extend, false},
	{"insert in the middle", op_insert, false},
	{"pop a text", op_pop, false},
	{"pop an object", op_pop_object, false},
	{"delete a range", op_delete, false},
	{"clear a list", op_clear, false},
	{"splice", op_splice, false},
	{"permute", op_permute, false},
	{"dict: a plain value over a plain one", op_dict_plain, false},
	{"dict: a new key", op_dict_new, false},
	{"dict: grow", op_dict_grow, true},
	{"dict: pop", op_dict_pop, false},
	{"dict: popitem", op_dict_popitem, false},
	{"dict: clear", op_dict_clear, false},
	{"dict: setdefault", op_dict_setdefault, false},
	{"dict: update", op_dict_update, false},
	{"dict: replace", op_dict_replace, false},
	{"set an attribute", op_attribute, false},
	{"make the extra dict", op_extra, false},
	{"make and drop objects", op_new, true},
	{"destroy a graph", op_destroy, true},
	{"take and drop a hold", op_read, false},
	{"a large run", op_run, true},
	{"spans taken and given back", op_spans, true},
	{"pages given back", op_hole, true},
	{"a transaction", op_transaction, false},
	{"reap and check", op_reap, false},
	{"close the heap", op_close, false},
	{"the hold table grows", op_holds, true},
	{"the heap grows", op_grow, false},
	{"leave and attach again", op_attach, true},
	{"a thread comes and goes", op_thread, true},
	{"create a heap", op_create, false},
	{"wait for a monitor", op_wait, false},
	{"fork", op_fork, true},
	{"recount suspects", op_recount, true},
	{"collect circles", op_collect, false},
	{"take over orphans", op_orphans, true},
	{"recover a splice", op_recover_list, true},
	{"recover a fork", op_recover_fork, true},
	{"recover an update", op_recover_dict, true},
	{"recover a destruction", op_recover_death, true},
};

/* Leave old numbers in all words of the journal: no operation may take what
 * an earlier one left there for its own. */
static void
soil_journal(struct world *w)
{
	struct posh_value v[6] = {
		text("the first text of all"), posh_int(3),
		text("the third text of all"), text("the fourth text of all"),
		posh_fresh(POSH_KIND_LIST),    posh_none()};
	posh_handle l, d, o;
	int i;

	posh_list_new(w->h, &l);
	posh_dict_new(w->h, &d);
	posh_instance_new(w->h, w->cls, 40, &o);
	for (i = 0; i < 9; i++)
		posh_list_extend(w->h, l, v, 6);
	posh_list_insert(w->h, l, 7, &v[0]);
	posh_list_delete(w->h, l, 20, 40);
	for (i = 0; i < 40; i++)
		posh_dict_set(w->h, d, (v[1].i = i, &v[1]), &v[0]);
	posh_dict_update(w->h, d, v, 2, 0);
	posh_dict_pop(w->h, d, &v[0], NULL);
	posh_instance_set(w->h, o, 39, &v[0]);
	posh_object_drop(w->h, l);
	posh_object_drop(w->h, d);
	posh_object_drop(w->h, o);
}

/* Run the operation in a child that dies at its nth step; false: it outlived
 * it, or never got that far. */
static bool
child_dies_at(struct world *w, const struct scenario *s, long n)
{
	int status = 0;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		soil_journal(w);
		left = n;
		posh__step = die_in_time;
		s->op(w);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(3);
	if (!WIFSIGNALED(status) && WEXITSTATUS(status))
		exit(3);
	return shared->died;
}

static void
tell(const char *what, void *arg)
{
	(void)arg;
	printf("# %s\n", what);
}

/* The state that the operation leads to. */
static uint64_t
digest_after(const struct scenario *s)
{
	struct world w;
	uint64_t d;

	world_open(&w);
	child_dies_at(&w, s, 0);
	posh_heap_reap(w.h);
	d = digest(&w);
	posh_heap_close(w.h);
	return d;
}

/* Everything is dropped: what is left is what an empty heap has. */
static bool
all_given_back(struct world *w, uint64_t empty)
{
	struct posh_stats st;
	posh_handle root = posh_heap_place(w->h, POSH_ROOT);

	posh_dict_clear(w->h, root);
	posh_object_drop(w->h, w->list);
	posh_object_drop(w->h, w->dict);
	posh_object_drop(w->h, w->own);
	posh_object_drop(w->h, w->inst);
	posh_dict_clear(w->h, posh_heap_place(w->h, POSH_CLASSES));
	posh_heap_reap(w->h);
	posh_heap_collect(w->h);
	posh_heap_stats(w->h, &st, sizeof(st));
	if (st.live_bytes != empty)
		printf("# %llu live bytes, %llu in an empty heap; %llu "
		       "suspects\n",
		       (unsigned long long)st.live_bytes,
		       (unsigned long long)empty,
		       (unsigned long long)st.suspects);
	return st.live_bytes == empty && st.members == 1 && !st.suspects;
}

/* One death; true if everything is right. */
static bool
survives(const struct scenario *s, long n, uint64_t after, uint64_t empty,
	 bool *died)
{
	struct world w;
	uint64_t before, seen = 0, now;
	bool right = true;
	int rc;

	world_open(&w);
	before = digest(&w);
	*died = child_dies_at(&w, s, n);
	if (*died)
		note_name(shared->last);
	if (!s->many)
		seen = digest(&w);
	rc = posh_heap_reap(w.h);
	if (rc < 0) {
		printf("# reap: %s\n", posh_error_text(rc));
		right = false;
	}
	if (posh_heap_check(w.h, tell, NULL))
		right = false;
	now = digest(&w);
	if (!s->many && now != before && now != after) {
		printf("# neither as before nor as after\n");
		right = false;
	}
	if (seen && now != seen) {
		printf("# changed by recovery after it was read\n");
		right = false;
	}
	if (!all_given_back(&w, empty))
		right = false;
	if (!right)
		printf("# %s: death at step %ld, %s\n", s->name, n,
		       shared->last);
	posh_heap_close(w.h);
	return right;
}

static uint64_t
empty_bytes(void)
{
	struct posh_stats st;
	posh_heap *h;

	if (posh_heap_create(NULL, &h) || posh_heap_stats(h, &st, sizeof(st)))
		exit(3);
	posh_heap_close(h);
	return st.live_bytes;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Every POSH_STEP of the sources was a place to die at. */
static bool
all_covered(const char *srcdir)
{
	char cmd[1000], name[NAME];
	FILE *f;
	int steps = 0, missed = 0, i;

	snprintf(cmd, sizeof(cmd),
		 "sed -n 's/.*POSH_STEP(\"\\([^\"]*\\)\").*/\\1/p' "
		 "'%s'/libposh/*.[ch] | grep -v file.n | sort -u",
		 srcdir);
	f = popen(cmd, "r");
	while (f && fgets(name, sizeof(name), f)) {
		name[strcspn(name, "\n")] = '\0';
		steps++;
		for (i = 0; i < nnames && strcmp(names[i], name); i++)
			;
		if (i < nnames)
			continue;
		missed++;
		printf("# nobody died at %s\n", name);
	}
	if (f)
		pclose(f);
	printf("# %d of %d steps covered\n", steps - missed, steps);
	return steps > 100 && !missed;
}

int
main(int argc, char **argv)
{
	uint64_t empty;
	long deaths = 0;
	size_t i;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	empty = empty_bytes();
	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		const struct scenario *s = &scenarios[i];
		uint64_t after;
		long n, wrong = 0;
		bool died = true;

		if (argc > 1 && !strstr(s->name, argv[1]))
			continue;
		after = s->many ? 0 : digest_after(s);
		for (n = 1; died && wrong < 3; n++)
			wrong += !survives(s, n, after, empty, &died);
		deaths += n - 2;
		ok(!wrong && n > 2, "%s: %ld deaths, one at each step", s->name,
		   n - 2);
	}
	printf("# %ld deaths\n", deaths);
	qsort(names, (size_t)nnames, NAME, by_name);
	for (i = 0; i < (size_t)nnames; i++)
		printf("# covered %s\n", names[i]);
	if (argc == 1 && getenv("srcdir"))
		ok(all_covered(getenv("srcdir")),
		   "every step of the sources was a place to die at");
	return tap_done();
}

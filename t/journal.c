/* SPDX-License-Identifier: MIT */
/* Recovery of who died with a damaged journal: it ends, whatever that says.
 *
 * For every scenario and each of its steps a child dies there, in whose
 * journal a word was changed just before.  Another process recovers it,
 * checks the heap, reads it, takes everything away and closes it; what it is
 * told does not matter, but no signal and no hang may end it.
 *
 * In the middle of an operation it is a word of the intent, else another one.
 * Which, and what it becomes, goes round from death to death, for each
 * operation on its own; with POSH_SOAK all are tried at each step.
 */
#include "config.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atomic.h"
#include "attach.h"
#include "dict.h"
#include "scenario.h"
#include "tap.h"

#define AT(w)    offsetof(struct posh__thread, w)
#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

/* The words of an intent, and the others of a journal. */
static const size_t intent[] = {AT(op),    AT(container), AT(body), AT(newbody),
				AT(index), AT(count),     AT(pos),  AT(oldval),
				AT(stage), AT(aux)};
static const size_t others[] = {
	AT(state),   AT(active),   AT(waits),      AT(spans),    AT(span_busy),
	AT(remote),  AT(opno),     AT(val[0]),     AT(val[1]),   AT(val[2]),
	AT(val[3]),  AT(trash),    AT(trash_from), AT(trash_to), AT(owner),
	AT(step),    AT(freeing),  AT(dying),      AT(dead),     AT(held[0]),
	AT(held[1]), AT(held_more)};

enum { WAYS = 12, OPS = 256 };

/* What damage makes of a word. */
static uint64_t
damaged(const struct world *w, uint64_t old, unsigned how)
{
	switch (how) {
	case 0:
		return UINT64_MAX;
	case 1:
		return 0;
	case 2:
		return old + 1;
	case 3:
		return old - 1;
	case 4:
		return old ^ UINT64_C(1) << 31;
	case 5:
		return old ^ UINT64_C(1) << 62;
	case 6:
		return w->list.off;
	case 7:
		return w->dict.off + 16;
	case 8:
		return POSH__TAGGED(POSH__TAG_OBJECT, w->own.off);
	case 9:
		return POSH__TAGGED(POSH__TAG_BOX, w->dict.off);
	case 10:
		return posh__object(w->h, w->dict.off)->body;
	default:
		return posh__object(w->h, w->list.off)->body;
	}
}

/* What the processes tell each other. */
static struct {
	unsigned turn[OPS]; /* deaths in each operation; 0: in none */
	size_t at;          /* the word that was changed last, */
	unsigned how;       /* and in which way */
	unsigned long done; /* deaths of the scenario */
	bool over;          /* it was outlived */
} * shared;

static struct world *world;
static long left;

static void
damage(struct posh__thread *t)
{
	bool busy = posh__load(&t->opno) & 1;
	unsigned turn = shared->turn[busy ? posh__load(&t->op) % OPS : 0]++;
	size_t n = busy ? ITEMS(intent) : ITEMS(others);
	posh__word *word;

	shared->at = busy ? intent[turn % n] : others[turn % n];
	shared->how = turn / n % WAYS;
	word = (posh__word *)((char *)t + shared->at);
	posh__store(word, damaged(world, posh__load(word), shared->how));
}

static void
step(const char *name)
{
	(void)name;
	if (--left == 0) {
		damage(world->h->selves->t);
		raise(SIGKILL);
	}
}

/* Run the scenario in a child that dies at its nth step; false: it outlived
 * it. */
static bool
dies(struct world *w, const struct scenario *s, long n)
{
	int status = 0;
	pid_t pid;

	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		world_soil(w);
		if (s->prepare)
			s->prepare(w);
		world = w;
		left = n;
		posh__step = step;
		s->op(w);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WIFSIGNALED(status);
}

/* The next death at each step, or each fifth. */
static long
next_step(void)
{
	unsigned long tries = tap_soak() ? WAYS * ITEMS(others) : 1;

	return 1 + (long)(shared->done / tries) * (tap_brief() ? 5 : 1);
}

/* One death and its recovery. */
static void
die_and_recover(const struct scenario *s)
{
	struct posh_options opts = {sizeof(opts), 256 << 20, 0, 0};
	uint64_t suspects;
	struct world w;

	tap_limit(20);
	if (posh_heap_create(&opts, &w.h))
		abort();
	world_make(&w);
	if (!dies(&w, s, next_step())) {
		shared->over = true;
		return;
	}
	posh_heap_reap(w.h);
	posh_heap_check(w.h, NULL, NULL);
	world_digest(w.h);
	posh_heap_collect(w.h);
	world_clear(w.h, &suspects);
	posh_heap_close(w.h);
	shared->done++;
}

/* All deaths, in a process that may end in the middle: by a signal, or, as an
 * error is an error, by itself.  How many signals there were. */
static int
die_everywhere(const struct scenario *s)
{
	int status, bad = 0;
	pid_t pid;

	shared->done = 0;
	shared->over = false;
	while (!shared->over && bad < 3) {
		pid = fork();
		if (pid == 0) {
			while (!shared->over)
				die_and_recover(s);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			abort();
		if (WIFSIGNALED(status) && ++bad)
			tap_note("death at step %ld, byte %zu damaged in way "
				 "%u: %s",
				 next_step(), shared->at, shared->how,
				 strsignal(WTERMSIG(status)));
		shared->done += !shared->over;
	}
	return bad;
}

/* Run f in a child, which dies; recover it. */
static bool
dies_in(struct world *w, void (*at)(const char *name), void (*f)(void))
{
	int status;
	pid_t pid;

	posh_fork_arm();
	pid = fork();
	if (pid == 0) {
		world = w;
		posh__step = at;
		f();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	posh_heap_reap(w->h);
	return WIFSIGNALED(status);
}

/* Dies when it has taken an item out, and meant to note what is left. */
static void
step_of_pop(const char *name)
{
	if (strcmp(name, "dict.8"))
		return;
	posh__store(&world->h->selves->t->count, POSH__FILL(1 << 30, 1));
	raise(SIGKILL);
}

static void
pops(void)
{
	struct posh_value k = world_text("a");

	posh_dict_pop(world->h, world->dict, &k, NULL);
}

/* A number that cannot be is not passed on to the dict. */
static void
refused(void)
{
	struct posh_value k = world_text("the second key"), v;
	struct world w;

	if (posh_heap_create(NULL, &w.h))
		abort();
	world_make(&w);
	ok(dies_in(&w, step_of_pop, pops) && posh_dict_len(w.h, w.dict) == 3 &&
		   posh_dict_get(w.h, w.dict, &k, &v) == 0 &&
		   posh_heap_check(w.h, NULL, NULL),
	   "a dict whose recoverer was told nonsense can be read");
	posh_heap_close(w.h);
}

/* Dies when the list has the values of the stage, which is said to be where no
 * body can be: the first element would be half of what would be set to 0. */
static void
step_of_extend(const char *name)
{
	if (strcmp(name, "list.6"))
		return;
	posh__store(&world->h->selves->t->stage,
		    posh__load(&posh__object(world->h, world->list.off)->body) +
			    4);
	raise(SIGKILL);
}

static void
extends(void)
{
	struct posh_value v = world_text("a text that is staged");

	posh_list_extend(world->h, world->list, &v, 1);
}

/* What no body can be is not emptied. */
static void
misplaced(void)
{
	struct posh_value v = posh_int(7), item;
	struct world w;

	if (posh_heap_create(NULL, &w.h))
		abort();
	world_make(&w);
	ok(posh_list_set(w.h, w.list, 0, &v) == 0 &&
		   dies_in(&w, step_of_extend, extends) &&
		   posh_list_len(w.h, w.list) == 10 &&
		   posh_list_get(w.h, w.list, 0, &item) == 0 &&
		   item.type == POSH_INT && item.i == 7,
	   "a stage in the middle of a body is not emptied");
	posh_heap_close(w.h);
}

int
main(int argc, char **argv)
{
	const struct scenario *s;
	unsigned long all = 0;
	int bad;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	for (s = scenarios; s->name; s++) {
		if (argc > 1 && !strstr(s->name, argv[1]))
			continue;
		bad = die_everywhere(s);
		ok(!bad && shared->done,
		   "%s: %lu damaged journals, errors at most", s->name,
		   shared->done);
		all += shared->done;
	}
	tap_note("%lu damaged journals", all);
	if (argc == 1) {
		refused();
		misplaced();
	}
	return tap_done();
}

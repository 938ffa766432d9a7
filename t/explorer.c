/* SPDX-License-Identifier: MIT */
/* explorer.c - all interleavings of a few members, up to a bound.
 *
 * Three things make an execution begin like the last one did.  All memory
 * that the library changes lies in the heap, or comes from the malloc here,
 * whose arena is one array; the pages of both are write-protected, and a
 * page's first content is kept when the first store faults.  All members
 * use one mapping.  And nothing asks the kernel: who is dead, and how long
 * a sleep lasts, is decided here.
 */
#include "config.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "attach.h"
#include "explorer.h"
#include "format.h"
#include "ref.h"

enum {
	PAGE = 4096,
	ARENA = 8 << 20,
	STACK = 256 << 10,
	MAX_POINTS = 1 << 16,
	MAX_ACCESSES = 4000000, /* of an execution: then nobody gets on */
	MAX_IDLE = 50,
	GUESSES = 2000, /* schedules at random, to learn what is shared; */
	FEW = 100,      /* so many where nobody is preempted */
	MAX_BACK = 64,  /* stores held back */
	OBSERVER = 15,  /* its bit among the actors */
};

/*
 * Memory that can be put back
 */

static union {
	struct {
		size_t used, last;
	} head;
	char bytes[ARENA];
} arena __attribute__((__aligned__(PAGE)));

#if EXPLORER_WORKS
/* Under another name, so that no compiler makes a calloc of calloc. */
static void *
carve(size_t n)
{
	char *p;

	if (!arena.head.used)
		arena.head.used = 64;
	n = (n + 15) & ~(size_t)15;
	if (n > ARENA - 16 - arena.head.used)
		return NULL;
	p = arena.bytes + arena.head.used;
	*(size_t *)p = n;
	arena.head.last = arena.head.used;
	arena.head.used += n + 16;
	return p + 16;
}

void *
malloc(size_t n)
{
	return carve(n);
}

void
free(void *p)
{
	/* The last one is taken back; the others when memory is put back. */
	if (p && (char *)p - 16 - arena.bytes == (long)arena.head.last) {
		arena.head.used = arena.head.last;
		arena.head.last = 0;
	}
}

void *
calloc(size_t n, size_t size)
{
	void *p = size && n > ARENA / size ? NULL : carve(n * size);

	return p ? memset(p, 0, n * size) : NULL;
}

void *
realloc(void *old, size_t n)
{
	size_t had = old ? *(size_t *)((char *)old - 16) : 0;
	void *p;

	if (old && n <= had)
		return old;
	p = carve(n);
	return p && old ? memcpy(p, old, had) : p;
}

#endif

struct kept {
	char *page;
	char content[PAGE];
};

static char *heap; /* where all members have it */
static size_t heap_bytes;
static struct kept *kept;
static size_t nkept;

static bool
tracked(const char *p)
{
	return (p >= heap && p < heap + heap_bytes) ||
	       (p >= arena.bytes && p < arena.bytes + ARENA);
}

static void
protect(void)
{
	kept = mmap(NULL, heap_bytes + ARENA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mprotect(heap, heap_bytes, PROT_READ);
	mprotect(arena.bytes, ARENA, PROT_READ);
}

static void
put_back(void)
{
	size_t i;

	for (i = 0; i < nkept; i++)
		memcpy(kept[i].page, kept[i].content, PAGE);
}

/*
 * Actors
 */

enum state { READY, BLOCKED, PAUSED, DONE, DEAD };

struct back {
	posh__word *word;
	uint64_t old, new;
};

static struct actor {
	const struct explorer_actor *is;
	posh_heap *h;
	struct posh__self *self;
	enum state state;
	const volatile void *wait; /* BLOCKED */
	uint32_t seen;
	bool timed;
	const volatile void *loaded; /* again and again? */
	unsigned again;
	struct back back[MAX_BACK];
	unsigned nback;
	ucontext_t at;
	char *stack;
} actors[EXPLORER_ACTORS];

static const struct explorer_program *program;
static unsigned nactors;
static posh_heap *observer, *member[EXPLORER_MEMBERS];
static ucontext_t scheduler;
static int current, chosen_next;
static unsigned preemptions, deaths, max_preemptions, max_deaths, idle, still;
static long accesses;
static bool failed, watching, observing, died[POSH__MEMBERS], steps_alone;
static bool forked;
static bool restart;  /* a word turned out to be shared */
static bool guessing; /* nobody knows yet which: any word may be */
static char why[300];
static sigjmp_buf observer_fault; /* ends what the observer does */

/* Which actors use a word, by its place in the heap, then the arena. */
static struct use {
	uint16_t readers, writers;
} * uses;
static unsigned nshared;
static bool replaying, tracing;

static struct use *
use_of(const volatile void *p)
{
	const volatile char *c = p;

	if (c >= heap && c < heap + heap_bytes)
		return &uses[(c - heap) / 8];
	if (c >= arena.bytes && c < arena.bytes + ARENA)
		return &uses[(heap_bytes + (size_t)(c - arena.bytes)) / 8];
	return NULL;
}

/* Do two of the actors use it, and one of them writes? */
static bool
contended(const struct use *u)
{
	unsigned who = (u->readers | u->writers) & ~(1U << OBSERVER);

	return u->writers && who & (who - 1);
}

/* Would the recovery see a difference? */
static bool
witnessed(const struct use *u)
{
	unsigned who = u->readers | u->writers;

	return u->writers && who & (who - 1);
}

static void
note_use(struct use *u, unsigned who, enum posh__access kind)
{
	uint16_t bit = (uint16_t)(1U << who);
	bool was = contended(u), seen = witnessed(u);

	if (kind == POSH__ACCESS_LOAD)
		u->readers |= bit;
	else
		u->writers |= bit;
	if (contended(u) == was && witnessed(u) == seen)
		return;
	nshared += contended(u) && !was;
	if (max_preemptions || max_deaths)
		restart = true;
}

/*
 * Decisions
 */

struct option {
	char what; /* '.': go on; 's': another; 'f': another, who sees what
		    * was held back; 'x': die; 'r': run, nobody did */
	int actor;
};

static struct decision {
	long at; /* number of the access */
	struct option took;
	uint8_t n, choice;
} path[MAX_POINTS];
static unsigned depth, known, most;

static const struct decision *script; /* replay */
static unsigned nscript;

static void
give_up(const char *text)
{
	failed = true;
	snprintf(why, sizeof(why), "%s", text);
}

/* Any of n; but if the first is to go on, mostly that. */
static int
guess(int n, bool going_on)
{
	static uint64_t seed = 1;

	seed = seed * UINT64_C(6364136223846793005) +
	       UINT64_C(1442695040888963407);
	if (going_on && seed >> 33 & 63)
		return 0;
	return (int)(seed >> 40) % n;
}

static int
take(const struct option *o, int n)
{
	int i;

	if (replaying) {
		for (i = 0; i < n && depth < nscript; i++)
			if (script[depth].at == accesses &&
			    script[depth].took.what == o[i].what &&
			    script[depth].took.actor == o[i].actor) {
				depth++;
				return i;
			}
		return 0;
	}
	if (depth >= MAX_POINTS) {
		give_up("too many points");
		return 0;
	}
	if (guessing) {
		path[depth].at = accesses;
		i = guess(n, o[0].what == '.');
		path[depth++].took = o[i];
		return i;
	}
	if (depth >= known) {
		path[depth].choice = 0;
		known = depth + 1;
	} else if (path[depth].n != n || path[depth].at != accesses) {
		give_up("the same choices lead elsewhere");
		return 0;
	}
	path[depth].n = (uint8_t)n;
	path[depth].at = accesses;
	i = path[depth].choice;
	path[depth++].took = o[i];
	return i;
}

/* Go on to the next unexplored schedule; false: there is none. */
static bool
advance(void)
{
	while (known && path[known - 1].choice + 1 >= path[known - 1].n)
		known--;
	if (!known)
		return false;
	path[known - 1].choice++;
	return true;
}

static void
print_schedule(void)
{
	unsigned i;

	printf("# schedule:");
	for (i = 0; i < depth; i++)
		if (path[i].took.what != '.')
			printf(" %ld%c%c", path[i].at, path[i].took.what,
			       'a' + path[i].took.actor);
	printf("\n");
}

/*
 * Running
 */

static bool
may_run(const struct actor *a)
{
	if (a->is->how & EXPLORER_AFTER_DEATH && !deaths)
		return false;
	if (a->state == BLOCKED)
		return *(const volatile uint32_t *)a->wait != a->seen;
	return a->state == READY || a->state == PAUSED;
}

static void
yield(void)
{
	swapcontext(&actors[current].at, &scheduler);
}

/* What was held back is seen. */
static void
bring_out(struct actor *a)
{
	a->nback = 0;
}

/* Others see the old values, or again the actor its new ones; what others
 * have stored meanwhile is what they will see. */
static void
swap_views(struct actor *a, bool own)
{
	unsigned i;

	for (i = 0; i < a->nback; i++) {
		if (own)
			a->back[i].old = *a->back[i].word;
		*a->back[i].word = own ? a->back[i].new : a->back[i].old;
	}
}

/* All that anybody has held back is seen. */
static void
bring_all_out(void)
{
	unsigned i;

	for (i = 0; i < nactors; i++) {
		if (i != (unsigned)current)
			swap_views(&actors[i], true);
		bring_out(&actors[i]);
	}
}

/* The child's token is its parent's alone until there is a child. */
static void
die_unborn(void)
{
	unsigned i;

	for (i = 0; i < POSH__MEMBERS; i++)
		if (POSH__MEMBER_STATE(posh__member_at(observer, i)->state) ==
		    POSH__MEMBER_HANDOVER)
			died[i] = true;
}

static void
die(struct actor *a)
{
	unsigned i;

	deaths++;
	died[a->h->index] = true;
	if (a->h->child_token >= 0)
		die_unborn();
	for (i = 0; i < nactors; i++)
		if (actors[i].h == a->h) {
			bring_out(&actors[i]);
			actors[i].state = DEAD;
		}
}

static void
point(bool others, bool death)
{
	struct actor *a = &actors[current];
	struct option o[2 * EXPLORER_ACTORS + 2] = {{'.', current}};
	int n = 1, i;

	for (i = 0; others && preemptions < max_preemptions && i < (int)nactors;
	     i++) {
		if (i == current || !may_run(&actors[i]))
			continue;
		o[n++] = (struct option){'s', i};
		if (a->nback)
			o[n++] = (struct option){'f', i};
	}
	if (death && deaths < max_deaths && a->is->how & EXPLORER_MAY_DIE)
		o[n++] = (struct option){'x', current};
	if (n == 1)
		return;
	i = take(o, n);
	if (o[i].what == '.')
		return;
	if (o[i].what == 'x') {
		die(a);
		chosen_next = -1;
	} else {
		preemptions++;
		if (o[i].what == 'f')
			bring_out(a);
		chosen_next = o[i].actor;
	}
	yield();
}

/* Is it what others tell an owner by, a word of an own span or of the own
 * entry? */
static bool
tells(const struct actor *a, const volatile void *p)
{
	uint64_t off = (uint64_t)((const volatile char *)p - heap), w;

	if (p == &a->self->t->remote)
		return true;
	if (off >= heap_bytes ||
	    (off & (POSH__SPAN - 1)) != offsetof(struct posh__span, remote) ||
	    off >> POSH__SPAN_BITS < observer->hdr->first)
		return false;
	w = *posh__span_word(observer, off >> POSH__SPAN_BITS);
	return POSH__SPAN_STATE(w) == POSH__SPAN_OWNED &&
	       POSH__SPAN_OWNER(w) == a->self->tid;
}

/* May a store to this word be held back? */
static bool
may_be_late(const struct actor *a, const volatile void *p)
{
	const volatile char *t = heap + a->h->holds.table;
	unsigned i;

	if (p == &a->self->t->active)
		return program->late;
	if (tells(a, p))
		return true;
	for (i = 0; i < nactors; i++)
		if (&actors[i] != a && actors[i].h == a->h)
			return false; /* threads look at it under their lock */
	return (const volatile char *)p >= t &&
	       (const volatile char *)p < t + (8 << a->h->holds.bits);
}

/* A store that may be held back is about to be made. */
static void
hold_back(struct actor *a, const volatile void *p)
{
	if (a->nback == MAX_BACK || a->is->how & EXPLORER_AFTER_DEATH) {
		bring_out(a);
		return;
	}
	a->back[a->nback].word = (posh__word *)p;
	a->back[a->nback++].old = *(const volatile uint64_t *)p;
}

/* The actor stops here: note what its stores have been. */
static void
note_views(struct actor *a)
{
	unsigned i, j;

	for (i = 0; i < a->nback; i++) {
		a->back[i].new = *a->back[i].word;
		for (j = 0; j < i; j++) /* the first store's is the old one */
			if (a->back[j].word == a->back[i].word)
				a->back[i].old = a->back[j].old;
	}
}

static void trace(const volatile void *p, enum posh__access kind);

static void
on_use(const volatile void *p, struct use *u, enum posh__access kind)
{
	struct actor *a = &actors[current];
	bool late;

	if (observing) {
		if (u)
			note_use(u, OBSERVER, kind);
		return;
	}
	if (++accesses > MAX_ACCESSES) {
		give_up("it does not end");
		yield();
	}
	if (tracing)
		trace(p, kind);
	/* What it has held back is about to be seen. */
	if (a->nback && !still && !u && kind == POSH__ACCESS_FENCE)
		point(true, false);
	if (!u) {
		if (kind == POSH__ACCESS_FENCE)
			bring_out(a);
		if (kind == POSH__ACCESS_BARRIER)
			bring_all_out();
		return;
	}
	a->again =
		kind == POSH__ACCESS_LOAD && a->loaded == p ? a->again + 1 : 0;
	a->loaded = kind == POSH__ACCESS_LOAD ? p : NULL;
	note_use(u, (unsigned)current, kind);
	late = a->nback && kind == POSH__ACCESS_RMW;
	if (!still && a->again < 2 &&
	    (guessing || replaying || witnessed(u) || late))
		point(guessing || replaying || contended(u) || late,
		      kind != POSH__ACCESS_LOAD && !steps_alone);
	if (kind == POSH__ACCESS_RMW && (const volatile char *)p >= heap &&
	    (const volatile char *)p < heap + heap_bytes)
		bring_out(a);
	if (kind == POSH__ACCESS_STORE && may_be_late(a, p))
		hold_back(a, p);
}

static void
on_access(const volatile void *p, enum posh__access kind)
{
	unsigned who = observing ? OBSERVER : (unsigned)current;
	struct use *u = use_of(p);

	if (!watching)
		return;
	/* Most of all: words that are only read. */
	if (u && kind == POSH__ACCESS_LOAD && !u->writers &&
	    u->readers >> who & 1 && !replaying)
		accesses++;
	else
		on_use(p, u, kind);
}

/* Memory that nobody else looks at is written without an access; a death
 * here tells what was. */
static void
on_step(const char *name)
{
	(void)name;
	if (!watching || observing)
		return;
	accesses++;
	if (!still)
		point(false, true);
}

static void
on_wait(const volatile void *p, uint32_t seen, bool timed)
{
	struct actor *a = &actors[current];

	/* The observer is alone: nobody will wake it. */
	if (observing && ++idle > MAX_IDLE) {
		give_up("the observer waits for ever");
		siglongjmp(observer_fault, 1);
	}
	if (!watching || observing)
		return;
	if (p && *(const volatile uint32_t *)p != seen)
		return;
	a->state = p ? BLOCKED : PAUSED;
	a->wait = p;
	a->seen = seen;
	a->timed = timed;
	chosen_next = -1;
	yield();
}

static bool
on_dead(struct posh_heap *h, uint32_t index, bool *answer)
{
	(void)h;
	*answer = died[index];
	return true;
}

static void
start(void)
{
	struct actor *a = &actors[current];

	a->is->run(a->h);
	a->state = DONE;
	chosen_next = -1;
}

static void
enter(posh_heap *h, struct posh__self *self)
{
	pthread_setspecific(h->key, self);
	posh__tls.serial = h->serial;
	posh__tls.self = self;
}

static void
resume(int i)
{
	struct actor *a = &actors[i];

	current = i;
	a->state = READY;
	enter(a->h, a->self);
	swap_views(a, true);
	swapcontext(&scheduler, &a->at);
	/* A store that was announced last has not been made: its old value is
	 * its new one. */
	note_views(a);
	if (a->state == READY)
		swap_views(a, false);
	else
		bring_out(a);
}

/* The actors of a kind that may go on, as options. */
static int
those(bool (*kind)(const struct actor *), struct option *o)
{
	unsigned i;
	int n = 0;

	for (i = 0; i < nactors; i++)
		if (kind(&actors[i]))
			o[n++] = (struct option){'r', (int)i};
	return n;
}

static bool
runs(const struct actor *a)
{
	return may_run(a) && a->state != PAUSED;
}

static bool
pauses(const struct actor *a)
{
	return a->state == PAUSED;
}

static bool
sleeps(const struct actor *a)
{
	return a->state == BLOCKED && a->timed;
}

static bool
blocked(const struct actor *a)
{
	return a->state == BLOCKED;
}

/* Who goes on when nobody does?  Pauses are shorter than sleeps.  -1: all is
 * over. */
static int
next_actor(void)
{
	struct option o[EXPLORER_ACTORS];
	int n = those(runs, o);

	idle = n ? 0 : idle + 1;
	if (!n)
		n = those(pauses, o);
	if (!n)
		n = those(sleeps, o);
	if (!n && those(blocked, o))
		give_up("all wait for one another");
	/* A sleep that takes its time; but not one after the other. */
	if (n && idle > MAX_IDLE)
		give_up("nobody gets on");
	if (!n || failed)
		return -1;
	n = take(o, n);
	return o[n].actor;
}

static void
prepare_actor(unsigned i)
{
	struct actor *a = &actors[i];

	a->state = READY;
	a->loaded = NULL;
	a->again = a->nback = 0;
	getcontext(&a->at);
	a->at.uc_stack.ss_sp = a->stack;
	a->at.uc_stack.ss_size = STACK;
	a->at.uc_link = &scheduler;
	makecontext(&a->at, start, 0);
}

static void
report(const char *what, void *arg)
{
	(void)arg;
	if (!failed)
		snprintf(why, sizeof(why), "%s", what);
	failed = true;
}

/* Everybody has ended, or is dead. */
static void
inspect(void)
{
	int rc;

	enter(observer, pthread_getspecific(observer->key));
	observing = true;
	idle = 0;
	if (sigsetjmp(observer_fault, 1) == 0) {
		rc = deaths ? posh_heap_reap(observer) : 0;
		watching = false;
		posh__access = NULL;
		posh__step = NULL;
		if (rc < 0)
			explorer_fail("reap: %s", posh_error_text(rc));
		if (!failed && program->check && program->as_left)
			program->check(observer);
		if (!failed && posh_heap_check(observer, report, NULL) < 0)
			explorer_fail("the check itself failed");
		if (!failed && program->check && !program->as_left)
			program->check(observer);
	}
	observing = watching = false;
	posh__access = NULL;
	posh__step = NULL;
}

/* One execution from beginning to end; false: something was wrong. */
static bool
execute(void)
{
	unsigned i;
	int next;

	put_back();
	memset(died, 0, sizeof(died));
	forked = false;
	preemptions = deaths = idle = still = 0;
	accesses = 0;
	depth = 0;
	failed = false;
	chosen_next = -1;
	for (i = 0; i < nactors; i++)
		prepare_actor(i);
	watching = true;
	posh__access = on_access;
	posh__step = on_step;
	while (!failed) {
		next = chosen_next >= 0 ? chosen_next : next_actor();
		chosen_next = -1;
		if (next < 0)
			break;
		resume(next);
	}
	if (!failed)
		inspect();
	watching = false;
	posh__access = NULL;
	posh__step = NULL;
	if (depth > most)
		most = depth;
	return !failed;
}

void
explorer_fail(const char *fmt, ...)
{
	va_list ap;

	if (!failed) {
		va_start(ap, fmt);
		vsnprintf(why, sizeof(why), fmt, ap);
		va_end(ap);
	}
	failed = true;
	if (watching && !observing)
		yield();
}

bool
explorer_died(unsigned i)
{
	return died[member[i]->index];
}

void
explorer_fork(posh_heap *h)
{
	h->child_token = -1;
	forked = true;
}

bool
explorer_forked(void)
{
	return forked;
}

void
explorer_still_begin(void)
{
	still++;
}

void
explorer_still_end(void)
{
	still--;
}

/* A store to a page that is to be put back; or a fault. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & -(uintptr_t)PAGE);
	size_t i;

	(void)context;
	for (i = 0; i < nkept; i++)
		if (kept[i].page == page)
			break;
	if (sig == SIGSEGV && kept && tracked(page) && i == nkept) {
		kept[nkept].page = page;
		memcpy(kept[nkept].content, page, PAGE);
		mprotect(page, PAGE, PROT_READ | PROT_WRITE);
		nkept++;
		return;
	}
	if (!watching && !observing) {
		signal(sig, SIG_DFL);
		return;
	}
	give_up("an access to memory that is not there");
	if (observing)
		siglongjmp(observer_fault, 1);
	setcontext(&scheduler);
}

static void
catch_faults(void)
{
	static char stack[64 << 10];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction act;

	memset(&act, 0, sizeof(act));
	act.sa_sigaction = on_fault;
	act.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigaltstack(&alt, NULL);
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

/*
 * The world
 */

static void
need(bool good, const char *what)
{
	if (good)
		return;
	printf("# explorer: %s\n", what);
	exit(2);
}

/* Have h use the mapping of the observer, as one more member would. */
static void
share_mapping(posh_heap *h)
{
	struct posh__self *self = h->selves;

	munmap(h->base, h->reserve);
	h->base = observer->base;
	h->hdr = observer->hdr;
	h->member = posh__member_at(h, h->index);
	posh__self_rebind(self, self->tid);
}

static void
open_world(unsigned nmembers)
{
	struct posh_options opts = {sizeof(opts), program->max_size, 0600,
				    POSH_CREATE | POSH_EXCLUSIVE};
	char name[40];
	unsigned i;
	int rc;

	if (!opts.max_size)
		opts.max_size = POSH__MIN_SIZE;
	snprintf(name, sizeof(name), "explore-%ld", (long)getpid());
	rc = posh_heap_open(name, &opts, &observer);
	need(rc == 0, posh_error_text(rc));
	opts.max_size = 0;
	opts.flags = UINT32_C(1) << 31; /* an attachment of its own */
	for (i = 0; i < nmembers; i++) {
		rc = posh_heap_open(name, &opts, &member[i]);
		need(rc == 0, posh_error_text(rc));
	}
	posh_heap_unlink(name);
	for (i = 0; i < nmembers; i++)
		share_mapping(member[i]);
	heap = observer->base;
	heap_bytes = observer->reserve;
}

/* The member's first actor is the thread that set the world up, others are
 * threads that come now. */
static void
cast(unsigned i)
{
	struct actor *a = &actors[i];
	unsigned j;

	a->is = &program->actor[i];
	a->h = member[a->is->member];
	a->self = a->h->selves;
	for (j = 0; j < i; j++)
		if (actors[j].h == a->h) {
			pthread_setspecific(a->h->key, NULL);
			posh__tls.serial = 0;
			need(posh__self_make(a->h, &a->self) == 0,
			     "no more threads");
			break;
		}
	a->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(a->stack != MAP_FAILED, "no memory");
}

static void
make_world(const struct explorer_program *p)
{
	unsigned nmembers = 0, i;

	program = p;
	posh__dead_hook = on_dead;
	for (i = 0; i < EXPLORER_ACTORS && p->actor[i].run; i++)
		if (p->actor[i].member >= nmembers)
			nmembers = p->actor[i].member + 1;
	nactors = i;
	open_world(nmembers);
	uses = mmap(NULL, (heap_bytes + ARENA) / 8 * sizeof(*uses),
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	need(uses != MAP_FAILED, "no memory");
	p->setup(observer, member);
	for (i = 0; i < nactors; i++)
		cast(i);
	fflush(stdout);
	catch_faults();
	posh__wait_hook = on_wait;
	protect();
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool
guess_schedules(void)
{
	int i, n = max_preemptions ? GUESSES : FEW;
	bool right = true;

	guessing = true;
	for (i = 0; right && i < n; i++)
		right = execute();
	guessing = false;
	return right;
}

/* All schedules, once more whenever a word turns out to be shared. */
static bool
search(struct explorer_result *out)
{
	bool right = true;

	for (restart = true; restart && right;) {
		out->executions = out->dead = out->pairs = 0;
		out->searches++;
		known = most = 0;
		restart = false;
		do {
			right = execute();
			out->executions++;
			out->dead += deaths > 0;
			out->pairs += deaths > 1;
		} while (right && !restart && advance());
	}
	return right;
}

static bool
explore(const struct explorer_program *p, bool in_full,
	struct explorer_result *out)
{
	double begin = seconds();
	bool right;

	make_world(p);
	max_preemptions = in_full ? p->long_preemptions : p->preemptions;
	max_deaths = in_full ? p->long_deaths : p->deaths;
	steps_alone = p->steps && !in_full;
	right = guess_schedules() && search(out);
	out->shared = nshared;
	out->points = most;
	out->seconds = seconds() - begin;
	if (!right) {
		printf("# %s\n", why);
		print_schedule();
	}
	return right;
}

bool
explorer_run(const struct explorer_program *p, bool in_full,
	     struct explorer_result *out)
{
	int end[2], status = 0;
	pid_t pid;
	bool right;

	memset(out, 0, sizeof(*out));
	if (pipe(end))
		return false;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		right = explore(p, in_full, out);
		if (write(end[1], out, sizeof(*out)) != sizeof(*out))
			_exit(2);
		fflush(stdout);
		_exit(right ? 0 : 1);
	}
	close(end[1]);
	if (read(end[0], out, sizeof(*out)) != sizeof(*out))
		printf("# it said nothing\n");
	close(end[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/*
 * Replay
 */

static void
where(const volatile void *p, char *buf, size_t n)
{
	uint64_t off = (uint64_t)((const volatile char *)p - heap), span;
	struct posh__header *hdr = observer->hdr;
	struct posh__span *s;

	span = off >> POSH__SPAN_BITS;
	if ((const volatile char *)p < heap || off >= heap_bytes)
		snprintf(buf, n, "private");
	else if (off < hdr->members_off)
		snprintf(buf, n, "header + %llu", (unsigned long long)off);
	else if (off < hdr->threads_off)
		snprintf(buf, n, "member %llu + %llu",
			 (unsigned long long)(off - hdr->members_off) / 256,
			 (unsigned long long)(off - hdr->members_off) % 256);
	else if (off < hdr->spans_off)
		snprintf(buf, n, "thread %llu + %llu",
			 (unsigned long long)(off - hdr->threads_off) / 512,
			 (unsigned long long)(off - hdr->threads_off) % 512);
	else if (off < hdr->bits_off)
		snprintf(buf, n, "word of span %llu",
			 (unsigned long long)(off - hdr->spans_off) / 8);
	else if (span < hdr->first)
		snprintf(buf, n, "map + %llu",
			 (unsigned long long)(off - hdr->bits_off));
	else {
		s = posh__span_at(observer, span);
		off &= POSH__SPAN - 1;
		if ((*posh__span_word(observer, span) & 0xff) ==
		    POSH__SPAN_HOLDS)
			snprintf(buf, n, "hold table in %llu, entry %llu",
				 (unsigned long long)span,
				 (unsigned long long)off / 8);
		else if (off < sizeof(*s))
			snprintf(buf, n, "span %llu + %llu",
				 (unsigned long long)span,
				 (unsigned long long)off);
		else if (off < s->blocks_off)
			snprintf(buf, n, "state %llu of span %llu",
				 (unsigned long long)(off - sizeof(*s)) / 8,
				 (unsigned long long)span);
		else
			snprintf(buf, n, "block %llu of span %llu + %llu",
				 (unsigned long long)((off - s->blocks_off) *
							      s->inverse >>
						      32),
				 (unsigned long long)span,
				 (unsigned long long)(off - s->blocks_off) %
					 ((uint32_t)s->word0
						  ? (uint32_t)s->word0
						  : 1));
	}
}

static void
trace(const volatile void *p, enum posh__access kind)
{
	static const char *const names[] = {"load ", "store", "rmw  ", "fence",
					    "barrier"};
	char text[100] = "";
	bool was = watching;

	watching = false;
	if (p)
		where(p, text, sizeof(text));
	printf("# %6ld %c %s %s", accesses, 'a' + current, names[kind], text);
	if (p)
		printf(" (%#llx)",
		       (unsigned long long)*(
			       const volatile uint64_t *)((uintptr_t)p &
							  ~(uintptr_t)7));
	printf("\n");
	watching = was;
}

bool
explorer_replay(const struct explorer_program *p, const char *schedule)
{
	static struct decision list[1000];
	char *end;

	for (; *schedule && nscript < 1000; schedule = end + 2) {
		list[nscript].at = strtol(schedule, &end, 10);
		if (end == schedule || !end[0] || !end[1])
			break;
		list[nscript].took.what = end[0];
		list[nscript++].took.actor = end[1] - 'a';
	}
	make_world(p);
	script = list;
	replaying = tracing = true;
	max_preemptions = max_deaths = nscript;
	execute();
	printf("# %s\n", failed ? why : "nothing is wrong");
	return !failed;
}

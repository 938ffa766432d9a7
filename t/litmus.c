/* SPDX-License-Identifier: MIT */
/* litmus.c - the classic tests of memory models, by their usual names, and
 * which machine shows their odd outcome.
 *
 * The verdicts for ARM are those published for ARMv8 (Pulte et al., POPL 2018;
 * Alglave, Maranget, Tautschnig: Herding cats, TOPLAS 2014, but that ARMv8 is
 * multi-copy atomic); for TSO those of x86-TSO (Owens, Sarkar, Sewell, TPHOLs
 * 2009).  A row that is seen shows that the machine goes that far, one that
 * is not that it goes no further.
 *
 *   Wx1     store 1 to x             Rx      load x
 *   W:x1    store-release            R:x     load-acquire
 *   Ax      add 1, and load          Cx01    compare-and-swap from 0 to 1
 *   A:x     with acquire, release    C:x01   with acquire, release
 *   dmb st ld                        full fence, for stores, for loads
 *   mb                               barrier on all threads (membarrier)
 *   addr data ctrl                   the next one depends on the last load
 *   |                                another thread
 *   killed                           goes on if thread 0 was killed
 *
 * What is loaded is called a, b, c, d, from left to right.
 */
#include "config.h"

#include <stddef.h>
#include <string.h>

#include "weak.h"

const struct litmus litmus[] = {
	{"MP", "Wx1 Wy1 | Ry Rx", "a1 b0", ON_ARM},
	{"MP+dmb+po", "Wx1 dmb Wy1 | Ry Rx", "a1 b0", ON_ARM},
	{"MP+po+dmb", "Wx1 Wy1 | Ry dmb Rx", "a1 b0", ON_ARM},
	{"MP+dmbs", "Wx1 dmb Wy1 | Ry dmb Rx", "a1 b0", NOWHERE},
	{"MP+st+ld", "Wx1 st Wy1 | Ry ld Rx", "a1 b0", NOWHERE},
	{"MP+ld+dmb", "Wx1 ld Wy1 | Ry dmb Rx", "a1 b0", ON_ARM},
	{"MP+dmb+st", "Wx1 dmb Wy1 | Ry st Rx", "a1 b0", ON_ARM},
	{"MP+dmb+addr", "Wx1 dmb Wy1 | Ry addr Rx", "a1 b0", NOWHERE},
	{"MP+dmb+ctrl", "Wx1 dmb Wy1 | Ry ctrl Rx", "a1 b0", ON_ARM},
	{"MP+rel+acq", "Wx1 W:y1 | R:y Rx", "a1 b0", NOWHERE},
	{"MP+rels+acqs", "W:x1 W:y1 | R:y R:x", "a1 b0", NOWHERE},
	{"MP+rel-po+acq", "W:x1 Wy1 | R:y Rx", "a1 b0", ON_ARM},
	{"MP+rel+po-acq", "Wx1 W:y1 | Ry R:x", "a1 b0", ON_ARM},
	{"MP+rmw+acq", "Wx1 A:y | R:y Rx", "b1 c0", NOWHERE},
	{"MP+rmw-po+acq", "A:x Wy1 | R:y Rx", "b1 c0", ON_ARM},
	{"MP+mb+po", "Wx1 mb Wy1 | Ry Rx", "a1 b0", NOWHERE},

	{"SB", "Wx1 Ry | Wy1 Rx", "a0 b0", BUT_SC},
	{"SB+dmb+po", "Wx1 dmb Ry | Wy1 Rx", "a0 b0", BUT_SC},
	{"SB+dmbs", "Wx1 dmb Ry | Wy1 dmb Rx", "a0 b0", NOWHERE},
	{"SB+sts", "Wx1 st Ry | Wy1 st Rx", "a0 b0", BUT_SC},
	{"SB+lds", "Wx1 ld Ry | Wy1 ld Rx", "a0 b0", BUT_SC},
	{"SB+rel-acqs", "W:x1 R:y | W:y1 R:x", "a0 b0", ON_TSO | ON_RCPC},
	{"SB+rel-pos", "W:x1 Ry | W:y1 Rx", "a0 b0", BUT_SC},
	{"SB+rmws", "A:x Ry | A:y Rx", "b0 d0", ON_ARM},
	{"SB+rmw-acqs", "A:x R:y | A:y R:x", "b0 d0", ON_RCPC},
	{"SB+rmw-dmbs", "Ax dmb Ry | Ay dmb Rx", "b0 d0", NOWHERE},
	{"SB+rel-rmws", "W:x1 A:z Ry | W:y1 A:w Rx", "b0 d0", ON_LOOSE},
	{"SB+failures", "Wx1 C:x78 Ry | Wy1 C:y78 Rx", "b0 d0", ON_ARM},
	{"SB+own-rmw", "Wx2 C:x21 Ry | Wy1 dmb Rx", "x1 b0 c0", ON_ARM},
	{"SB+rmw-rfi-acq", "Ax R:x Ry | Wy1 dmb Rx", "b1 c0 d0", ON_LOOSE},
	{"SB+mb+po", "Wx1 mb Ry | Wy1 Rx", "a0 b0", NOWHERE},
	{"SB+rfis", "Wx1 Rx Ry | Wy1 Ry Rx", "a1 b0 c1 d0", BUT_SC},
	{"SB+rfi-acqs", "Wx1 R:x Ry | Wy1 R:y Rx", "a1 b0 c1 d0", BUT_SC},

	{"LB", "Rx Wy1 | Ry Wx1", "a1 b1", ON_ARM},
	{"LB+data+po", "Rx data Wy1 | Ry Wx1", "a1 b1", ON_ARM},
	{"LB+datas", "Rx data Wy1 | Ry data Wx1", "a1 b1", NOWHERE},
	{"LB+ctrls", "Rx ctrl Wy1 | Ry ctrl Wx1", "a1 b1", NOWHERE},
	{"LB+addrs", "Rx addr Wy1 | Ry addr Wx1", "a1 b1", NOWHERE},
	{"LB+addr-pos", "Rx addr Rz Wy1 | Ry addr Rw Wx1", "a1 c1", NOWHERE},
	{"LB+acq+po", "R:x Wy1 | Ry Wx1", "a1 b1", ON_ARM},
	{"LB+acqs", "R:x Wy1 | R:y Wx1", "a1 b1", NOWHERE},
	{"LB+rels", "Rx W:y1 | Ry W:x1", "a1 b1", NOWHERE},
	{"LB+lds", "Rx ld Wy1 | Ry ld Wx1", "a1 b1", NOWHERE},
	{"LB+sts", "Rx st Wy1 | Ry st Wx1", "a1 b1", ON_ARM},

	{"S", "Wx2 Wy1 | Ry Wx1", "a1 x2", ON_ARM},
	{"S+dmb+po", "Wx2 dmb Wy1 | Ry Wx1", "a1 x2", ON_ARM},
	{"S+dmb+data", "Wx2 dmb Wy1 | Ry data Wx1", "a1 x2", NOWHERE},
	{"S+dmb+ctrl", "Wx2 dmb Wy1 | Ry ctrl Wx1", "a1 x2", NOWHERE},
	{"S+rel+acq", "Wx2 W:y1 | R:y Wx1", "a1 x2", NOWHERE},
	{"R", "Wx1 Wy1 | Wy2 Rx", "y2 a0", BUT_SC},
	{"R+dmb+po", "Wx1 dmb Wy1 | Wy2 Rx", "y2 a0", BUT_SC},
	{"R+po+dmb", "Wx1 Wy1 | Wy2 dmb Rx", "y2 a0", ON_ARM},
	{"R+dmbs", "Wx1 dmb Wy1 | Wy2 dmb Rx", "y2 a0", NOWHERE},
	{"2+2W", "Wx2 Wy1 | Wy2 Wx1", "x2 y2", ON_ARM},
	{"2+2W+sts", "Wx2 st Wy1 | Wy2 st Wx1", "x2 y2", NOWHERE},
	{"2+2W+lds", "Wx2 ld Wy1 | Wy2 ld Wx1", "x2 y2", ON_ARM},
	{"2+2W+rels", "Wx2 W:y1 | Wy2 W:x1", "x2 y2", NOWHERE},

	{"CoRR", "Wx1 | Rx Rx", "a1 b0", NOWHERE},
	{"CoRR+addr", "Wx1 dmb Wy1 | Ry addr Rx Rx", "a1 b1 c0", NOWHERE},
	{"CoWR", "Wx1 | Wx2 Rx", "a1 x2", NOWHERE},
	{"CoRW", "Wx1 | Rx Wx2", "a1 x1", NOWHERE},
	{"CoWW", "Wx1 Wx2", "x1", NOWHERE},
	{"CoWR+addr", "Wy1 | Ry addr Wx2 Rx", "b0", NOWHERE},
	{"an add and a store", "Ax | Wx2", "a0 x1", NOWHERE},
	{"two adds", "Ax | Ax", "x1", NOWHERE},
	{"two swaps", "C:x01 | C:x02", "a1 b1", NOWHERE},
	{"RSW", "Wx1 dmb Wy1 | Ry addr Rz Rz addr Rx", "a1 b0 c0 d0", ON_ARM},
	{"RDW", "Wx1 dmb Wy1 | Ry addr Rz Rz addr Rx | Wz1", "a1 b0 c1 d0",
	 NOWHERE},

	{"WRC", "Wx1 | Rx Wy1 | Ry Rx", "a1 b1 c0", ON_ARM},
	{"WRC+po+addr", "Wx1 | Rx Wy1 | Ry addr Rx", "a1 b1 c0", ON_ARM},
	{"WRC+data+addr", "Wx1 | Rx data Wy1 | Ry addr Rx", "a1 b1 c0",
	 NOWHERE},
	{"ISA2+po+data+addr", "Wx1 Wy1 | Ry data Wz1 | Rz addr Rx", "a1 b1 c0",
	 ON_ARM},
	{"ISA2+dmb+data+addr", "Wx1 dmb Wy1 | Ry data Wz1 | Rz addr Rx",
	 "a1 b1 c0", NOWHERE},
	{"IRIW", "Wx1 | Wy1 | Rx Ry | Ry Rx", "a1 b0 c1 d0", ON_ARM},
	{"IRIW+addrs", "Wx1 | Wy1 | Rx addr Ry | Ry addr Rx", "a1 b0 c1 d0",
	 NOWHERE},
	/* A store behind a branch is seen by its own thread ahead of time. */
	{"PPOCA", "Wx1 dmb Wy1 | Ry ctrl Wz1 Rz addr Rx", "a1 b1 c0", ON_ARM},
	{"PPOAA", "Wx1 dmb Wy1 | Ry addr Wz1 Rz addr Rx", "a1 b1 c0", NOWHERE},

	/* Who is killed leaves what it did up to some point, and that is seen
	 * by who finds it dead. */
	{"killed", "Wx1 Wy1 | killed Ry Rx", "a1 b0", NOWHERE},
	{"killed in between", "Wx1 Wy1 | killed Ry Rx", "a0 b1", EVERYWHERE},
	{NULL, NULL, NULL, NOWHERE}};

enum { X, LOADED = 4 };

static const struct model_word words[] = {{"x", 0}, {"y", 0}, {"z", 0},
					  {"w", 0}, {"a", 9}, {"b", 9},
					  {"c", 9}, {"d", 9}, {NULL, 0}};

/* The test whose threads are being made, or looked at. */
static const struct litmus *test;

static int
word_of(char c)
{
	return c >= 'w' ? (c - 'x') & 3 : LOADED + c - 'a';
}

/* A thread, as far as it was made.  What comes next may depend on the last
 * load. */
struct thread {
	val last;
	char depends; /* a: an address; d: data; c: a branch; or 0 */
	int from, to; /* its loads, of those of the test */
	val loaded[LOADED];
};

static bool
is_load(char op)
{
	return op == 'R' || op == 'A' || op == 'C';
}

static int
address(const struct thread *t, char c)
{
	if (t->depends != 'a')
		return word_of(c);
	return at(word_of(c), 1, both(t->last, 0));
}

static void
one_store(struct thread *t, const char *s, bool release)
{
	int word = address(t, s[0]);
	val v = s[1] - '0';

	if (t->depends == 'd')
		v = plus(both(t->last, 0), v);
	if (release)
		store(word, v);
	else
		store_plain(word, v);
}

static void
one_load(struct thread *t, char op, const char *s, bool acquire)
{
	int word = address(t, s[0]);

	if (op == 'R')
		t->last = acquire ? load(word) : peek(word);
	else if (op == 'A')
		t->last = acquire ? add(word, 1) : add_relaxed(word, 1);
	else if (acquire)
		t->last = cas(word, s[1] - '0', s[2] - '0');
	else
		t->last = cas_relaxed(word, s[1] - '0', s[2] - '0');
	t->loaded[t->to++] = t->last;
}

static void
one_branch(struct thread *t)
{
	label next = new_label();

	go_if(t->last, EQ, 255, next);
	here(next);
}

/* One word of a thread. */
static void
make_one(struct thread *t, const char *s, label end)
{
	bool order = s[1] == ':';

	if (!strncmp(s, "dmb", 3))
		fence();
	else if (!strncmp(s, "st", 2))
		store_fence();
	else if (!strncmp(s, "ld", 2))
		load_fence();
	else if (!strncmp(s, "mb", 2))
		barrier();
	else if (!strncmp(s, "killed", 6))
		go_if(killed(0), EQ, 0, end);
	else if (!strncmp(s, "ctrl", 4))
		one_branch(t);
	else if (*s == 'W')
		one_store(t, s + 1 + order, order);
	else if (is_load(*s))
		one_load(t, *s, s + 1 + order, order);
	t->depends = *s >= 'a' ? *s : 0;
}

static void
make_thread(int n)
{
	struct thread t = {0};
	label end = new_label();
	const char *s = test->threads;

	for (; n >= 0; s++) {
		bool begins = s == test->threads || s[-1] == ' ';

		if (!*s || *s == '|') {
			n--;
			if (!*s)
				break;
		} else if (begins && n == 0) {
			make_one(&t, s, end);
		} else if (begins && is_load(*s)) {
			t.from = ++t.to;
		}
	}
	/* At the end, where it orders nothing. */
	for (; t.from < t.to; t.from++)
		store_plain(LOADED + t.from, t.loaded[t.from]);
	here(end);
}

static void
thread0(void)
{
	make_thread(0);
}

static void
thread1(void)
{
	make_thread(1);
}

static void
thread2(void)
{
	make_thread(2);
}

static void
thread3(void)
{
	make_thread(3);
}

static void
outcome(void)
{
	label other = new_label();
	const char *s;

	for (s = test->outcome; *s; s++)
		if (*s >= 'a')
			go_if(load(word_of(s[0])), NE, s[1] - '0', other);
	never("the odd outcome");
	here(other);
}

void
litmus_model(const struct litmus *l, struct model *out)
{
	static void (*const thread[])(void) = {thread0, thread1, thread2,
					       thread3};
	const char *s;
	int n = 0;

	test = l;
	memset(out, 0, sizeof(*out));
	out->name = l->name;
	out->word = words;
	out->after = outcome;
	out->thread[n++] = thread0;
	for (s = l->threads; *s; s++)
		if (*s == '|') {
			out->thread[n] = thread[n];
			n++;
		}
	out->mortal = strstr(l->threads, "killed") != NULL;
}

/* SPDX-License-Identifier: MIT */
/* weak-read.c - models of reading and writing a container: the sequence word
 * (read.c, op.h, quick.h, lock.c), bodies that are swapped, and monitors. */
#include "config.h"

#include <stddef.h>

#include "layout.h"
#include "weak.h"

enum {
	LOCK,
	SEQ,
	DATA,              /* what the object has, two words */
	BODY = DATA + 2,   /* which body it has, 0 or 1 */
	LENGTH,            /* the bodies' lengths, */
	SLOT = LENGTH + 2, /* slots, */
	WORD = SLOT + 2,   /* and the first one's state word and kind */
	KIND,
	SPAN,
	ASLEEP,                 /* a thread sleeps */
	WAITS_FOR = ASLEEP + 2, /* the monitor it waits for */
	SAW = WAITS_FOR + 2,
	WORDS = SAW + 2
};

enum { WAITS = 4, NAME = 3 }; /* of a lock word; names are 1 and 2 */

static const struct model_word words[WORDS + 1] = {
	[LOCK] = {"lock", 0},
	[SEQ] = {"seq", 0},
	[DATA] = {"data0", 0},
	{"data1", 0},
	[BODY] = {"body", 0},
	[LENGTH] = {"length0", 1},
	{"length1", 0},
	[SLOT] = {"slot0", 4},
	{"slot1", 0},
	[WORD] = {"word0", POSH__LIVE},
	[KIND] = {"kind0", POSH__KIND_BODY},
	[SPAN] = {"span", 0},
	[ASLEEP] = {"asleep0", 0},
	{"asleep1", 0},
	[WAITS_FOR] = {"waits0", 0},
	{"waits1", 0},
	[SAW] = {"saw0", 0},
	{"saw1", 0}};

/*
 * Words under a sequence
 */

/* quick.h: posh__quick_begin. */
static void
quick_begin(int me, label no)
{
	val s;

	go_if(cas(LOCK, 0, me + 1), EQ, 0, no);
	s = peek(SEQ);
	if (rule("ODD"))
		store(SEQ, either(s, 1));
	if (rule("STORE_FENCE"))
		store_fence();
}

/* quick.h: posh__quick_end. */
static void
quick_end(int me, label waited_for)
{
	val s = peek(SEQ);

	if (rule("EVEN_RELEASE"))
		store(SEQ, plus(s, 1));
	else
		store_plain(SEQ, plus(s, 1));
	go_if(load(LOCK), NE, me + 1, waited_for);
	store(LOCK, 0);
}

static void
write_words(int me, int value)
{
	label out = new_label();

	quick_begin(me, out);
	store(DATA, value);
	store(DATA + 1, value);
	quick_end(me, out);
	here(out);
}

static void
writer(void)
{
	write_words(0, 1);
	write_words(0, 2);
}

static void
other_writer(void)
{
	write_words(1, 3);
}

/* op.h: posh__seq_even. */
static val
seq_even(label no)
{
	val seq = rule("SEQ_ACQUIRE") ? load(SEQ) : peek(SEQ);

	go_if(both(seq, 1), EQ, 1, no);
	return seq;
}

/* op.h: posh__seq_same. */
static void
seq_same(val seq, label no)
{
	if (rule("LOAD_FENCE"))
		load_fence();
	if (rule("REVALIDATE"))
		go_if(load(SEQ), NE, seq, no);
}

static void
reader(void)
{
	label no = new_label();
	val seq = seq_even(no), a = load(DATA), b = load(DATA + 1);

	seq_same(seq, no);
	must(a, EQ, b, "a reader believes what is half written");
	here(no);
}

static const struct model words_read = {
	.name = "words are written and read",
	.word = words,
	.thread = {writer, reader, other_writer},
	.twin = {{"ODD", EVERYWHERE},
		 {"REVALIDATE", EVERYWHERE},
		 {"EVEN_RELEASE", ON_ARM},
		 {"SEQ_ACQUIRE", ON_ARM},
		 /* These two are for plain accesses: see below. */
		 {"STORE_FENCE", NOWHERE},
		 {"LOAD_FENCE", NOWHERE}},
};

static const struct model words_read_large = {
	.name = "words are written and read by two",
	.word = words,
	.thread = {writer, reader, other_writer, reader},
	.large = true,
	.twin = {{"ODD", EVERYWHERE}, {"EVEN_RELEASE", ON_ARM}},
};

/* The same, of what C loads and stores plainly. */
static void
plain_writer(void)
{
	label out = new_label();

	quick_begin(0, out);
	store_plain(DATA, 1);
	store_plain(DATA + 1, 1);
	quick_end(0, out);
	here(out);
}

static void
plain_reader(void)
{
	label no = new_label();
	val seq = seq_even(no), a = peek(DATA), b = peek(DATA + 1);

	seq_same(seq, no);
	must(a, EQ, b, "a reader believes what is half written");
	here(no);
}

static const struct model plain_read = {
	.name = "plain data are written and read",
	.word = words,
	.thread = {plain_writer, plain_reader, other_writer},
	.twin = {{"ODD", EVERYWHERE},
		 {"REVALIDATE", EVERYWHERE},
		 {"EVEN_RELEASE", ON_ARM},
		 {"SEQ_ACQUIRE", ON_ARM},
		 {"STORE_FENCE", ON_ARM},
		 {"LOAD_FENCE", ON_ARM}},
};

/*
 * A body is swapped, and the old one's memory used for something else
 */

/* list.c: rebody; op.c: posh__body_swap; lock.c: posh__unlock; death.c:
 * posh__body_free; alloc.c: posh__block_free; then the next who takes it. */
static void
swapper(void)
{
	label no = new_label();

	store_plain(SLOT + 1, 5);
	store(LENGTH + 1, 1);
	store(SEQ, 1); /* posh__write_begin */
	if (rule("STORE_FENCE"))
		store_fence();
	if (rule("PUBLISH"))
		store(BODY, 1);
	else
		store_plain(BODY, 1);
	store(SEQ, 2); /* posh__write_end */
	go_if(load(LOCK), NE, 0, no);
	store(LOCK, 0);
	go_if(load(WORD), NE, POSH__LIVE, no);
	store(WORD, POSH__DEAD);
	load(SPAN);
	store_plain(KIND, POSH__KIND_RAW);
	store(WORD, POSH__FREE);
	store_plain(SLOT, 99);
	here(no);
}

/* list.c: stale_body and what follows; the bytes of a box are read plainly. */
static void
follower(void)
{
	label no = new_label();
	val seq = seq_even(no), body, length, value;

	body = load(at(BODY, 1, 0));
	length = load(at(LENGTH, 2, body));
	value = peek(at(SLOT, 2, body));
	seq_same(seq, no);
	must(length, EQ, 1, "a reader believes a body that is not ready");
	must(value, NE, 0, "a reader believes a body that is not ready");
	must(value, NE, 99, "a reader believes a body that is another's now");
	here(no);
}

static const struct model body_swap = {
	.name = "a body is swapped, used again, and read",
	.word = words,
	.thread = {swapper, follower, follower},
	.twin = {{"REVALIDATE", EVERYWHERE},
		 {"LOAD_FENCE", ON_ARM},
		 {"STORE_FENCE", ON_RCPC}},
};

/*
 * Monitors
 */

/* lock.c: posh__lock, lock_slowly and wait_round. */
static void
lock(int me)
{
	label again = new_label(), taken = new_label(), marked = new_label();
	label inside = new_label();
	val waits, w, slept;

	if (!rule("MONITOR"))
		return;
	if (!rule("ACQUIRE")) {
		go_if(cas_relaxed(LOCK, 0, me + 1), EQ, 1, inside);
	} else {
		go_if(cas(LOCK, 0, me + 1), EQ, 1, inside);
	}
	waits = var(0);
	here(again);
	w = load(LOCK);
	go_if(both(w, NAME), NE, 0, taken);
	go_if(cas(LOCK, w, either(either(w, me + 1), waits)), EQ, 1, inside);
	go(again);
	here(taken);
	go_if(both(w, WAITS), NE, 0, marked);
	go_if(cas(LOCK, w, either(w, WAITS)), EQ, 0, again);
	here(marked);
	set(waits, WAITS);
	slept = sleep_on(LOCK, either(w, WAITS), ASLEEP + me);
	if (!rule("TIMED")) {
		go_if(slept, EQ, 0, again);
		await(ASLEEP + me, EQ, 0);
	}
	go(again);
	here(inside);
}

/* lock.c: word_unlock. */
static void
unlock(int me)
{
	label waited_for = new_label(), out = new_label();

	go_if(load(LOCK), NE, me + 1, waited_for);
	if (rule("RELEASE"))
		store(LOCK, 0);
	else
		store_plain(LOCK, 0);
	go(out);
	here(waited_for);
	go_if(cas(LOCK, (me + 1) | WAITS, 0), EQ, 0, out);
	wake(ASLEEP + 1 - me);
	here(out);
}

static void
add_one(int me)
{
	val n;

	lock(me);
	n = peek(DATA);
	store_plain(DATA, plus(n, 1));
	unlock(me);
}

static void
owner0(void)
{
	add_one(0);
}

static void
owner1(void)
{
	add_one(1);
}

static void
two_more(void)
{
	must(load(DATA), EQ, 2, "what an owner wrote is lost");
	must(load(LOCK), EQ, 0, "a monitor stays shut");
}

static const struct model monitor = {
	.name = "a monitor and its next owner",
	.word = words,
	.thread = {owner0, owner1},
	.after = two_more,
	.twin = {{"MONITOR", EVERYWHERE},
		 {"ACQUIRE", ON_ARM},
		 {"RELEASE", ON_ARM},
		 {"TIMED", EVERYWHERE}},
};

/* wait.c: posh__private_lock and posh__private_unlock, whose sleep has no
 * end but a wake. */
static void
private_add(int me)
{
	label again = new_label(), inside = new_label(), out = new_label();
	label waited_for = new_label();
	val n, slept;

	go_if(cas(LOCK, 0, 1), EQ, 1, inside);
	here(again);
	go_if(cas(LOCK, 0, 2), EQ, 1, inside);
	cas(LOCK, 1, 2);
	slept = sleep_on(LOCK, 2, ASLEEP + me);
	go_if(slept, EQ, 0, again);
	await(ASLEEP + me, EQ, 0);
	go(again);
	here(inside);
	n = peek(DATA);
	store_plain(DATA, plus(n, 1));
	if (rule("UNLOCK_CAS")) {
		go_if(cas(LOCK, 1, 0), EQ, 0, waited_for);
	} else {
		go_if(load(LOCK), NE, 1, waited_for);
		store(LOCK, 0);
	}
	go(out);
	here(waited_for);
	store(LOCK, 0);
	wake(ASLEEP + 1 - me);
	here(out);
}

static void
private0(void)
{
	private_add(0);
}

static void
private1(void)
{
	private_add(1);
}

static const struct model private_lock = {
	.name = "a private lock and its next owner",
	.word = words,
	.thread = {private0, private1},
	.after = two_more,
	.twin = {{"UNLOCK_CAS", EVERYWHERE}},
};

/* circle.c: posh__circle_enter, and the walk of two that wait for each
 * other. */
static void
wait_for_other(int me)
{
	val edge;

	store(WAITS_FOR + me, 1);
	if (rule("CIRCLE_FENCE"))
		fence();
	edge = load(WAITS_FOR + 1 - me);
	store(SAW + me, edge);
}

static void
waiter0(void)
{
	wait_for_other(0);
}

static void
waiter1(void)
{
	wait_for_other(1);
}

static void
one_saw(void)
{
	must(either(load(SAW), load(SAW + 1)), EQ, 1,
	     "nobody sees the circle that he closes");
}

static const struct model circle = {
	.name = "two close a circle",
	.word = words,
	.thread = {waiter0, waiter1},
	.after = one_saw,
	.twin = {{"CIRCLE_FENCE", ON_TSO | ON_RCPC}},
};

const struct model *const read_kernels[] = {
	&words_read, &words_read_large, &plain_read, &body_swap,
	&monitor,    &private_lock,     &circle,     NULL};

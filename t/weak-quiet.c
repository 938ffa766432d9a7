/* SPDX-License-Identifier: MIT */
/* weak-quiet.c - models of what costs the fast side nothing: quiescence
 * (thread.h, quiesce.c, span.c), the gate (gate.c), a process's second thread
 * (hold.c), and who leaves (member.c). */
#include "config.h"

#include <stddef.h>

#include "weak.h"

enum {
	EPOCH,
	GATE,
	THREADS,           /* h->threads */
	HIGH,              /* threads_high */
	ACTIVE,            /* of each thread */
	BODY = ACTIVE + 2, /* 1: a block in the span */
	SPAN,              /* 0: it is in use; else the stamp it was given */
	CONTENT,           /* what is in it: 1, or 2 when it was carved anew */
	COUNT,             /* what writers change */
	LINKS,             /* what the collector changes */
	LOCK,
	ASLEEP,
	MEMBER, /* an entry of the table of members */
	CLEAN,
	SAW,
	WORDS = SAW + 2
};

/* The words, with threads_high: does it count thread 0's entry? */
#define START(high)                                                            \
	[EPOCH] = {"epoch", 1}, [GATE] = {"gate", 0},                          \
	[THREADS] = {"threads", 0}, [HIGH] = {"high", high},                   \
	[ACTIVE] = {"active0", 0}, {"active1", 0}, [BODY] = {"body", 1},       \
	[SPAN] = {"span", 0}, [CONTENT] = {"content", 1},                      \
	[COUNT] = {"count", 0}, [LINKS] = {"links", 0}, [LOCK] = {"lock", 0},  \
	[ASLEEP] = {"asleep", 0}, [MEMBER] = {"member", 0},                    \
	[SAW] = {"saw0", 0}, {"saw1", 0}, [CLEAN] = {"clean", 0}

static const struct model_word words[WORDS + 1] = {START(1)};
static const struct model_word without_entry[WORDS + 1] = {START(0)};

enum { CLAIMED = 0x40 };

/* thread.h: posh__begin.  An active word is an epoch here, and never 0 inside;
 * writing is not said. */
static void
begin(int me, bool fences)
{
	val e = rule("BEGIN_ACQUIRE") ? load(EPOCH) : peek(EPOCH);

	store(ACTIVE + me, e);
	if (fences && rule("FENCES"))
		fence();
	compiler_fence();
}

/* thread.h: posh__leave. */
static void
leave(int me)
{
	if (rule("LEAVE_RELEASE"))
		store(ACTIVE + me, 0);
	else
		store_plain(ACTIVE + me, 0);
}

/*
 * Quiescence
 */

/* A call that looks at a body, which may be stale. */
static void
look(void)
{
	label out = new_label();

	go_if(load(BODY), EQ, 0, out);
	must(peek(CONTENT), EQ, 1, "a span is carved anew under a late look");
	here(out);
}

static void
looker(void)
{
	begin(0, false);
	look();
	leave(0);
}

/* op.c: posh__body_swap; death.c: posh__body_free; alloc.c: give_span;
 * span.c: posh__span_give; quiesce.c: posh__epoch_stamp. */
static void
giver(void)
{
	store(BODY, 0);
	if (rule("STAMP_FENCE"))
		fence();
	store(SPAN, load(EPOCH)); /* LIMBO, and its stamp */
}

/* quiesce.c: posh__barrier.  It may be that the kernel does nothing at all. */
static void
run_barrier(bool for_all)
{
	if (rule("OWN_FENCE"))
		fence();
	if (for_all && rule("BARRIER"))
		barrier();
}

/* The horizon is no later than a thread's epoch. */
static void
behind(val horizon, val active)
{
	label none = new_label();

	go_if(active, EQ, 0, none);
	go_if(horizon, LT, active, none);
	set(horizon, active);
	here(none);
}

/* quiesce.c: posh__epoch_horizon. */
static val
epoch_horizon(bool for_all)
{
	label none = new_label();
	val epoch = load(EPOCH), horizon = plus(epoch, 1), high = 0;

	if (!rule("HIGH_LAST"))
		high = load(HIGH);
	cas(EPOCH, epoch, horizon);
	run_barrier(for_all);
	if (rule("HIGH_LAST"))
		high = load(HIGH);
	horizon = var(horizon);
	go_if(high, EQ, 0, none);
	if (rule("ACTIVE")) {
		behind(horizon, load(ACTIVE));
		behind(horizon, load(ACTIVE + 1));
	}
	here(none);
	return horizon;
}

/* span.c: find_one, open_to and enter; the horizon may be known from an
 * earlier span. */
static void
carve(bool for_all)
{
	label open = new_label(), out = new_label();
	val horizon = epoch_horizon(for_all), w = load(SPAN);

	go_if(w, EQ, 0, out);
	if (rule("LIMBO")) {
		go_if(w, LT, horizon, open);
		go(out);
	}
	here(open);
	go_if(cas(SPAN, w, CLAIMED), EQ, 0, out);
	store_plain(CONTENT, 2);
	here(out);
}

static void
carver(void)
{
	carve(true);
}

static const struct model quiescence = {
	.name = "a late look, a span given up and carved",
	.word = words,
	.thread = {looker, giver, carver},
	.twin = {{"BARRIER", ON_TSO | ON_RCPC},
		 {"BEGIN_ACQUIRE", ON_RCPC},
		 {"LEAVE_RELEASE", ON_ARM},
		 {"STAMP_FENCE", ON_TSO | ON_RCPC},
		 {"ACTIVE", EVERYWHERE},
		 {"LIMBO", EVERYWHERE}},
};

/* Two that look, and one of them again. */
static void
second_looker(void)
{
	begin(1, false);
	look();
	leave(1);
	begin(1, false);
	look();
	leave(1);
}

static const struct model quiescence_large = {
	.name = "two late looks, a span given up and carved",
	.word = words,
	.thread = {looker, second_looker, giver, carver},
	.large = true,
	.twin = {{"BARRIER", ON_TSO | ON_RCPC},
		 {"STAMP_FENCE", ON_TSO | ON_RCPC}},
};

/* One process could not register for barriers, and fences in each call. */
static void
fencing_looker(void)
{
	begin(0, true);
	look();
	leave(0);
}

static void
distant_carver(void)
{
	carve(false);
}

static const struct model quiescence_fences = {
	.name = "a late look with fences",
	.word = words,
	.thread = {fencing_looker, giver, distant_carver},
	.twin = {{"FENCES", ON_TSO | ON_RCPC},
		 {"STAMP_FENCE", ON_TSO | ON_RCPC}},
};

/* thread.c: posh__thread_claim; the entry was beyond threads_high. */
static void
newcomer(void)
{
	cas(HIGH, 0, 1);
	begin(0, false);
	look();
	leave(0);
}

static const struct model quiescence_new = {
	.name = "a late look of a new thread",
	.word = without_entry,
	.thread = {newcomer, giver, carver},
	.twin = {{"HIGH_LAST", EVERYWHERE}, {"BARRIER", ON_TSO | ON_RCPC}},
};

/*
 * The gate
 */

/* thread.h: posh__begin_write; gate.c: posh__gate_wait, whose sleep ends by
 * itself. */
static void
begin_write(int me, bool fences)
{
	label again = new_label(), inside = new_label();

	begin(me, fences);
	go_if(rule("GATE_ACQUIRE") ? load(GATE) : peek(GATE), EQ, 0, inside);
	here(again);
	go_if(load(GATE), EQ, 0, inside);
	leave(me);
	sleep_on(GATE, 1, ASLEEP);
	begin(me, fences);
	go(again);
	here(inside);
}

static void
write_in_call(bool fences)
{
	begin_write(0, fences);
	store(SAW, plus(load(LINKS), 1));
	store(COUNT, 1);
	leave(0);
}

static void
gate_writer(void)
{
	write_in_call(false);
}

/* gate.c: posh__gate_shut, posh__gate_open; what is done in between. */
static void
stand_still(bool for_all)
{
	val a;

	store(GATE, 1);
	run_barrier(for_all);
	await(ACTIVE, EQ, 0);
	await(ACTIVE + 1, EQ, 0);
	a = load(COUNT);
	store_plain(LINKS, 1);
	must(load(COUNT), EQ, a,
	     "a writer writes while the world stands still");
	store(SAW + 1, plus(a, 1));
	store(GATE, 0);
}

static void
collector(void)
{
	stand_still(true);
}

/* A writer that came after the collection has seen what it did. */
static void
in_turn(void)
{
	label before = new_label();

	go_if(load(SAW + 1), NE, 1, before);
	must(load(SAW), EQ, 2, "a writer saw what was there before it waited");
	here(before);
}

static const struct model gate = {
	.name = "a writer and the gate",
	.word = words,
	.thread = {gate_writer, collector},
	.after = in_turn,
	.twin = {{"BARRIER", ON_TSO | ON_RCPC},
		 {"GATE_ACQUIRE", ON_ARM},
		 {"LEAVE_RELEASE", ON_ARM}},
};

static void
second_writer(void)
{
	begin_write(1, false);
	store(COUNT, 2);
	leave(1);
	begin_write(1, false);
	store(COUNT, 3);
	leave(1);
}

static const struct model gate_large = {
	.name = "two writers and the gate",
	.word = words,
	.thread = {gate_writer, second_writer, collector},
	.large = true,
	.twin = {{"BARRIER", ON_TSO | ON_RCPC}, {"LEAVE_RELEASE", ON_ARM}},
};

static void
fencing_writer(void)
{
	write_in_call(true);
}

static void
distant_collector(void)
{
	stand_still(false);
}

static const struct model gate_fences = {
	.name = "a writer with fences and the gate",
	.word = words,
	.thread = {fencing_writer, distant_collector},
	.after = in_turn,
	.twin = {{"FENCES", ON_TSO | ON_RCPC}},
};

/*
 * The second thread of a process
 */

/* hold.c: lock and unlock round a change of the table. */
static void
change_table(void)
{
	label again = new_label(), locked = new_label();
	label alone = new_label(), out = new_label();
	val n;

	go_if(peek(THREADS), EQ, 0, alone);
	here(again);
	go_if(cas(LOCK, 0, 1), EQ, 1, locked);
	await(LOCK, EQ, 0);
	go(again);
	here(locked);
	n = peek(COUNT);
	store_plain(COUNT, plus(n, 1));
	store(LOCK, 0);
	go(out);
	here(alone);
	n = peek(COUNT);
	store_plain(COUNT, plus(n, 1));
	here(out);
}

static void
first_thread(void)
{
	begin(0, false);
	change_table();
	leave(0);
	begin(0, false);
	change_table();
	leave(0);
}

/* hold.c: posh__holds_share. */
static void
share(bool for_all)
{
	store_plain(THREADS, 1);
	run_barrier(for_all);
	if (rule("WAIT"))
		await(ACTIVE, EQ, 0);
	change_table();
}

static void
second_thread(void)
{
	share(true);
}

static void
three_changes(void)
{
	must(load(COUNT), EQ, 3, "two threads changed the table at once");
}

static const struct model second = {
	.name = "a second thread comes",
	.word = words,
	.thread = {first_thread, second_thread},
	.after = three_changes,
	.twin = {{"BARRIER", BUT_SC},
		 {"WAIT", EVERYWHERE},
		 {"LEAVE_RELEASE", ON_ARM}},
};

static void
fencing_first(void)
{
	begin(0, true);
	change_table();
	leave(0);
}

static void
fencing_second(void)
{
	share(false);
}

static void
two_changes(void)
{
	must(load(COUNT), EQ, 2, "two threads changed the table at once");
}

static const struct model second_fences = {
	.name = "a second thread comes, with fences",
	.word = words,
	.thread = {fencing_first, fencing_second},
	.after = two_changes,
	.twin = {{"FENCES", BUT_SC}, {"OWN_FENCE", BUT_SC}},
};

/*
 * The last member leaves, or not the last
 */

/* member.c: sign_off, and alone. */
static void
signer(void)
{
	label out = new_label();

	store(CLEAN, 1);
	if (rule("SIGN_FENCE"))
		fence();
	go_if(load(MEMBER), EQ, 0, out);
	store(CLEAN, 0);
	here(out);
}

/* member.c: posh__member_claim and settle_in. */
static void
joiner(void)
{
	cas(MEMBER, 0, 1);
	store(CLEAN, 0);
}

static void
not_clean(void)
{
	must(load(CLEAN), EQ, 0, "a heap is called clean with a member in it");
}

static const struct model sign = {
	.name = "a member signs off, another joins",
	.word = words,
	.thread = {signer, joiner},
	.after = not_clean,
	.twin = {{"SIGN_FENCE", ON_TSO | ON_RCPC}},
};

const struct model *const quiet_kernels[] = {&quiescence,
					     &quiescence_large,
					     &quiescence_fences,
					     &quiescence_new,
					     &gate,
					     &gate_large,
					     &gate_fences,
					     &second,
					     &second_fences,
					     &sign,
					     NULL};

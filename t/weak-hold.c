/* SPDX-License-Identifier: MIT */
/* weak-hold.c - models of how an object lives and dies: hold.c, link.c,
 * death.c, fork.c, and the end of alloc.c.
 *
 * There is one object, in a container's slot at first or held by somebody;
 * three members with a thread each, whose hold tables have one entry.
 */
#include "config.h"

#include <stddef.h>

#include "layout.h"
#include "weak.h"

enum {
	LOCK,   /* the container's monitor, */
	SEQ,    /* sequence, */
	SLOT,   /* and its slot: 1 is the object, 0 nothing */
	WORD,   /* the object's state word, */
	KIND,   /* its kind, */
	BODY,   /* and a word that its constructor clears */
	TABLES, /* which of two tables member 0 uses, and whether member 2 */
	TABLE2, /* has one */
	ENTRY,  /* the object's entry in a table of member 0: old, new, */
	ENTRY1 = ENTRY + 2, /* and in those of the others */
	ENTRY2,
	ATTACH_EPOCH,
	DYING, /* words of the threads' entries */
	DEAD = DYING + 3,
	FREEING = DEAD + 3,
	WORDS = FREEING + 3
};

enum {
	RAW = POSH__KIND_RAW,
	LIST = POSH__KIND_LIST,
	DICT = POSH__KIND_DICT,
	FREE = POSH__FREE,
	LIVE = POSH__LIVE,
	CONDEMNED = POSH__CONDEMNED,
	ENTERING = POSH__HOLD_ENTERING,
	HELD = POSH__HOLD_HELD,
	DROPPING = POSH__HOLD_DROPPING,
	ALLOCATING = POSH__HOLD_ALLOCATING,
	TOMB = 9
};

/* A state word: state:2 | who:2 | links:2.  Who is a thread, from 1 on. */
#define BLOCK(st, me, links) ((st) << 4 | ((me) + 1) << 2 | (links))

static val
links(val w)
{
	return both(w, 3);
}

static val
state(val w)
{
	return shift(w, 4);
}

/* The object's entry in a member's table. */
static int
entry_of(int member)
{
	return member == 0 ? ENTRY : member == 1 ? ENTRY1 : ENTRY2;
}

/* hold.c: find and posh__held_anywhere, for one member. */
static void
scan(int entry, label held)
{
	label next = new_label();
	val e = load(entry), st;

	go_if(e, EQ, 0, next);
	go_if(e, EQ, TOMB, next);
	st = load(entry);
	go_if(st, EQ, ENTERING, held);
	go_if(st, EQ, HELD, held);
	go_if(st, EQ, ALLOCATING, held);
	if (!rule("DROPPING"))
		go_if(st, EQ, DROPPING, held);
	here(next);
}

/* hold.c: posh__held_anywhere.  Member 2, the child of a fork, comes ahead of
 * its parent. */
static void
held_anywhere(label held)
{
	label next = new_label();

	go_if(load(TABLE2), EQ, 0, next);
	scan(ENTRY2, held);
	here(next);
	scan(at(ENTRY, 2, load(TABLES)), held);
	scan(ENTRY1, held);
}

/* death.c: posh__free_check and decide. */
static void
free_check(int me)
{
	label again = new_label(), claim = new_label(), held = new_label();
	label decided = new_label();
	val w, epoch;

	store(DYING + me, 1);
	here(again);
	w = load(WORD);
	go_if(links(w), NE, 0, decided);
	go_if(state(w), EQ, LIVE, claim);
	if (rule("STEAL"))
		go_if(state(w), EQ, CONDEMNED, claim);
	go(decided);
	here(claim);
	go_if(cas(WORD, w, BLOCK(CONDEMNED, me, 0)), EQ, 0, again);
	if (rule("CLAIM_FENCE"))
		fence();
	epoch = load(ATTACH_EPOCH);
	if (rule("SCAN"))
		held_anywhere(held);
	if (rule("EPOCH"))
		go_if(load(ATTACH_EPOCH), NE, epoch, again);
	go_if(cas(WORD, BLOCK(CONDEMNED, me, 0), BLOCK(POSH__DEAD, me, 0)), EQ,
	      0, decided);
	store(DEAD + me, 1); /* posh__dead_push */
	go(decided);
	here(held);
	cas(WORD, BLOCK(CONDEMNED, me, 0), BLOCK(LIVE, me, 0));
	here(decided);
	store(DYING + me, 0);
}

/* death.c: posh__destroy and pop; alloc.c: posh__block_free. */
static void
destroy(int me)
{
	label out = new_label();

	go_if(peek(DEAD + me), EQ, 0, out);
	store(FREEING + me, 1);
	store(DEAD + me, 0); /* posh__dead_pop */
	store_plain(KIND, RAW);
	store(WORD, FREE);
	store(FREEING + me, 0);
	here(out);
}

/* hold.c: drop and dropped. */
static void
drop_from(int me, int entry)
{
	label unlinked = new_label(), out = new_label();

	store(entry, DROPPING);
	if (rule("DROP_FENCE"))
		fence();
	if (!rule("ENTRY"))
		store(entry, TOMB);
	go_if(links(load(WORD)), EQ, 0, unlinked);
	store(entry, TOMB); /* erase */
	go(out);
	here(unlinked);
	store(DYING + me, 1);
	free_check(me);
	store(entry, TOMB); /* dropped */
	destroy(me);
	here(out);
}

static void
drop(int me)
{
	drop_from(me, entry_of(me));
}

/* hold.c: posh__hold_if and posh__hold_cancel; the entry is new. */
static void
hold_if(int me, int entry, val seq)
{
	label cancel = new_label(), out = new_label();

	store(entry, ENTERING); /* add_user */
	if (rule("ENTER_FENCE"))
		fence();
	if (rule("REVALIDATE"))
		go_if(load(SEQ), NE, seq, cancel);
	store(entry, HELD);
	go(out);
	here(cancel);
	if (rule("CANCEL"))
		drop_from(me, entry);
	else
		store(entry, TOMB);
	here(out);
}

/* list.c: posh_list_get; read.c: posh__read_object.  The reader goes on when
 * it holds the object, or to `no`. */
static void
read_object(int me, int entry, label no)
{
	val seq = load(SEQ); /* posh__seq_even */

	go_if(both(seq, 1), EQ, 1, no);
	go_if(load(SLOT), EQ, 0, no);
	load_fence(); /* posh__seq_same */
	go_if(load(SEQ), NE, seq, no);
	hold_if(me, entry, seq);
	go_if(peek(entry), NE, HELD, no);
	must(peek(KIND), EQ, LIST, "what is held was freed");
}

/* link.c: posh__unlink_only and count_down, of an object. */
static void
unlink_object(int me)
{
	label again = new_label(), out = new_label();
	val w, left;

	here(again);
	w = load(WORD);
	go_if(links(w), EQ, 0, out);
	left = minus(links(w), 1);
	go_if(cas(WORD, w, either(left, BLOCK(LIVE, me, 0))), EQ, 0, again);
	go_if(left, NE, 0, out);
	store(DYING + me, 1);
	free_check(me);
	here(out);
	destroy(me);
}

/* op.c: posh__slot_set, inside the monitor; then posh__release. */
static void
take_out(int me)
{
	store(SEQ, 1); /* posh__write_begin */
	store_fence();
	store(SLOT, 0);
	store(SEQ, 2); /* posh__write_end */
	unlink_object(me);
}

/* link.c: posh__link; the caller holds the object. */
static void
link_object(int me)
{
	label again = new_label();
	val w, n;

	here(again);
	w = load(WORD);
	n = plus(links(w), BLOCK(LIVE, me, 1));
	if (!rule("RESET"))
		n = plus(w, 1);
	go_if(cas(WORD, w, n), EQ, 0, again);
	store(SLOT, 1);
}

/*
 * When all is over
 */

/* Held by somebody, or linked: alive; otherwise freed. */
static void
settled(void)
{
	label alive = new_label(), out = new_label();
	val w = load(WORD);

	go_if(load(ENTRY), EQ, HELD, alive);
	go_if(load(ENTRY + 1), EQ, HELD, alive);
	go_if(load(ENTRY1), EQ, HELD, alive);
	go_if(load(ENTRY2), EQ, HELD, alive);
	go_if(load(SLOT), EQ, 1, alive);
	must(w, EQ, FREE, "nobody has it, and it is not freed");
	go(out);
	here(alive);
	must(state(w), EQ, LIVE, "somebody has it, and it is not alive");
	must(links(w), EQ, load(SLOT), "its count is wrong");
	here(out);
}

/* The words: the object's, whether member 2 has a table, and who holds it. */
#define START(slot, block, kind, table2, entry0, entry1, entry2)               \
	[LOCK] = {"lock", 0}, [SEQ] = {"seq", 0}, [SLOT] = {"slot", slot},     \
	[WORD] = {"word", block}, [KIND] = {"kind", kind},                     \
	[BODY] = {"body", 7}, [TABLES] = {"tables", 0},                        \
	[TABLE2] = {"table2", table2}, [ENTRY] = {"entry0", entry0},           \
	{"entry0 grown", 0}, [ENTRY1] = {"entry1", entry1},                    \
	[ENTRY2] = {"entry2", entry2}, [DYING] = {"dying0", 0}, {"dying1", 0}, \
	{"dying2", 0}, [DEAD] = {"dead0", 0}, {"dead1", 0},                    \
	{"dead2", 0}, [FREEING] = {"freeing0", 0}, {"freeing1", 0},            \
	{"freeing2", 0}, [ATTACH_EPOCH] = {"epoch", 0}

#define ONE_LINK BLOCK(LIVE, 0, 1)
#define NO_LINK  BLOCK(LIVE, 0, 0)

static const struct model_word linked[WORDS + 1] = {
	START(1, ONE_LINK, LIST, 0, 0, 0, 0)};
static const struct model_word linked_for_two[WORDS + 1] = {
	START(1, ONE_LINK, LIST, 1, 0, 0, 0)};
static const struct model_word linked_held[WORDS + 1] = {
	START(1, ONE_LINK, LIST, 0, HELD, 0, 0)};
static const struct model_word linked_held_twice[WORDS + 1] = {
	START(1, ONE_LINK, LIST, 1, HELD, 0, HELD)};
static const struct model_word held_twice[WORDS + 1] = {
	START(0, NO_LINK, LIST, 0, HELD, HELD, 0)};
static const struct model_word held_by_linker[WORDS + 1] = {
	START(0, NO_LINK, LIST, 1, HELD, HELD, 0)};
static const struct model_word held_thrice[WORDS + 1] = {
	START(0, NO_LINK, LIST, 1, HELD, HELD, HELD)};
static const struct model_word unborn[WORDS + 1] = {
	START(0, FREE, RAW, 1, 0, 0, 0)};

/*
 * A hold is entered, or the container has changed
 */

static void
reader(void)
{
	label no = new_label();

	read_object(0, ENTRY, no);
	here(no);
}

static void
unlinker(void)
{
	take_out(1);
}

static const struct model hold_unlink = {
	.name = "a hold and an unlink",
	.word = linked,
	.thread = {reader, unlinker},
	.after = settled,
	.twin = {{"ENTER_FENCE", ON_TSO | ON_RCPC},
		 {"CLAIM_FENCE", ON_LOOSE},
		 {"REVALIDATE", EVERYWHERE},
		 {"CANCEL", EVERYWHERE},
		 {"SCAN", EVERYWHERE}},
};

static void
reader_drops(void)
{
	label no = new_label();

	read_object(0, ENTRY, no);
	drop(0);
	here(no);
}

static const struct model hold_drop_unlink = {
	.name = "a hold, its drop and an unlink",
	.word = linked,
	.thread = {reader_drops, unlinker},
	.after = settled,
	.twin = {{"ENTER_FENCE", ON_TSO | ON_RCPC},
		 {"DROP_FENCE", ON_TSO | ON_RCPC},
		 {"CLAIM_FENCE", ON_LOOSE}},
};

/* read.c: posh__read, confirm and cancel; hold.c: posh__hold_enter. */
static void
slow_reader(void)
{
	label no = new_label(), out = new_label();
	val seq = load(SEQ);

	go_if(both(seq, 1), EQ, 1, out);
	go_if(load(SLOT), EQ, 0, out);
	store(ENTRY, ENTERING);
	if (rule("ENTER_FENCE"))
		fence();
	load_fence(); /* posh__seq_same */
	go_if(load(SEQ), NE, seq, no);
	store(ENTRY, HELD);
	must(peek(KIND), EQ, LIST, "what is held was freed");
	go(out);
	here(no);
	drop(0);
	here(out);
}

static const struct model read_unlink = {
	.name = "a reading's hold and an unlink",
	.word = linked,
	.thread = {slow_reader, unlinker},
	.after = settled,
	.twin = {{"ENTER_FENCE", ON_TSO | ON_RCPC},
		 {"DROP_FENCE", ON_TSO | ON_RCPC},
		 {"CLAIM_FENCE", ON_LOOSE}},
};

static void
second_reader(void)
{
	label no = new_label();

	read_object(2, ENTRY2, no);
	drop(2);
	here(no);
}

static const struct model holds_unlink = {
	.name = "two holds, their drops and an unlink",
	.word = linked_for_two,
	.thread = {reader_drops, unlinker, second_reader},
	.after = settled,
	.twin = {{"ENTER_FENCE", ON_TSO | ON_RCPC},
		 {"DROP_FENCE", ON_TSO | ON_RCPC},
		 {"DROPPING", EVERYWHERE},
		 {"STEAL", EVERYWHERE}},
};

/*
 * A hold is dropped
 */

static void
dropper(void)
{
	drop(0);
}

static const struct model drop_unlink = {
	.name = "a drop and an unlink",
	.word = linked_held,
	.thread = {dropper, unlinker},
	.after = settled,
	.twin = {{"DROP_FENCE", ON_TSO | ON_RCPC},
		 {"CLAIM_FENCE", ON_LOOSE},
		 {"STEAL", EVERYWHERE}},
};

static void
other_dropper(void)
{
	drop(1);
}

static const struct model drop_drop = {
	.name = "two drops",
	.word = held_twice,
	.thread = {dropper, other_dropper},
	.after = settled,
	.twin = {{"DROPPING", EVERYWHERE}, {"STEAL", EVERYWHERE}},
};

static void
third_dropper(void)
{
	drop(2);
}

static const struct model drops_unlink = {
	.name = "two drops and an unlink",
	.word = linked_held_twice,
	.thread = {dropper, unlinker, third_dropper},
	.after = settled,
	.twin = {{"DROP_FENCE", ON_TSO | ON_RCPC}, {"STEAL", EVERYWHERE}},
};

static const struct model three_drops = {
	.name = "three drops",
	.word = held_thrice,
	.thread = {dropper, other_dropper, third_dropper},
	.after = settled,
	.twin = {{"DROPPING", EVERYWHERE}},
};

static void
linker(void)
{
	link_object(1);
	drop(1);
}

static const struct model drop_link = {
	.name = "a drop and a link",
	.word = held_twice,
	.thread = {dropper, linker},
	.after = settled,
	.twin = {{"RESET", EVERYWHERE}, {"SCAN", EVERYWHERE}},
};

static const struct model drop_link_hold = {
	.name = "a drop, a link and a hold",
	.word = held_by_linker,
	.thread = {dropper, linker, second_reader},
	.after = settled,
	.twin = {{"RESET", EVERYWHERE}},
};

/*
 * A fork copies a table
 */

/* hold.c: posh__holds_copy; fork.c: posh__child_make; then the parent drops
 * what the child holds from now on. */
static void
parent(void)
{
	val e;

	if (!rule("EPOCH_ORDER"))
		add(ATTACH_EPOCH, 1);
	e = peek(ENTRY);
	store(ENTRY2, e);
	store(TABLE2, 1);
	if (rule("EPOCH_ORDER"))
		add(ATTACH_EPOCH, 1);
	drop(0);
}

static const struct model fork_unlink = {
	.name = "a fork, a drop and an unlink",
	.word = linked_held,
	.thread = {parent, unlinker},
	.after = settled,
	.twin = {{"EPOCH", EVERYWHERE},
		 {"EPOCH_ORDER", EVERYWHERE},
		 /* The parent's drop is ordered on its own side. */
		 {"CLAIM_FENCE", NOWHERE}},
};

/*
 * A table of holds grows
 */

/* hold.c: replace and rehash. */
static void
grow(void)
{
	val e;

	if (!rule("GROW"))
		store(TABLES, 1);
	store_plain(ENTRY + 1, 0);
	e = peek(ENTRY);
	store(ENTRY + 1, e);
	if (rule("GROW_RELEASE"))
		store(TABLES, 1);
	else
		store_plain(TABLES, 1);
}

static void
grower_drops(void)
{
	grow();
	must(peek(KIND), EQ, LIST, "what is held was freed");
	drop_from(0, ENTRY + 1);
	store(ENTRY, 0); /* nobody looks at the old table any more */
}

static const struct model grow_drop_unlink = {
	.name = "a table grows, a drop and an unlink",
	.word = linked_held,
	.thread = {grower_drops, unlinker},
	.after = settled,
	.twin = {{"GROW", EVERYWHERE},
		 {"GROW_RELEASE", ON_ARM},
		 {"DROP_FENCE", ON_TSO | ON_RCPC},
		 {"CLAIM_FENCE", ON_LOOSE}},
};

static void
grower_reads(void)
{
	label no = new_label();

	grow();
	read_object(0, ENTRY + 1, no);
	here(no);
}

static const struct model grow_hold_unlink = {
	.name = "a table grows, a hold and an unlink",
	.word = linked,
	.thread = {grower_reads, unlinker},
	.after = settled,
	.twin = {{"ENTER_FENCE", ON_TSO | ON_RCPC}, {"CLAIM_FENCE", ON_LOOSE}},
};

/*
 * An object is born
 */

/* hold.c: posh__hold_alloc; alloc.c: posh__block_birth; object.c: construct;
 * hold.c: posh__hold_confirm. */
static void
make_object(int me)
{
	if (rule("ALLOCATING"))
		store(entry_of(me), ALLOCATING);
	if (rule("BIRTH_RELEASE"))
		store(WORD, BLOCK(LIVE, me, 0));
	else
		store_plain(WORD, BLOCK(LIVE, me, 0));
	if (!rule("ALLOCATING"))
		store(entry_of(me), ALLOCATING);
	store_plain(BODY, 0);
	compiler_fence();
	store_plain(KIND, LIST);
	store(entry_of(me), HELD);
}

static void
maker(void)
{
	make_object(0);
}

/* A thread that has dropped what the block was before. */
static void
late_checker(void)
{
	free_check(1);
	destroy(1);
}

static const struct model birth_check = {
	.name = "a birth and a late free check",
	.word = unborn,
	.thread = {maker, late_checker},
	.after = settled,
	.twin = {{"ALLOCATING", EVERYWHERE}, {"BIRTH_RELEASE", ON_ARM}},
};

/* object.c: posh__object_make; lock.c: posh__lock; op.c: posh__slot_set. */
static void
maker_places(void)
{
	label no = new_label();

	store(WORD, BLOCK(LIVE, 0, 1));
	store_plain(BODY, 0);
	compiler_fence();
	store_plain(KIND, LIST);
	go_if(cas(LOCK, 0, 1), EQ, 0, no);
	store(SEQ, 1); /* posh__write_begin */
	if (rule("PUBLISH")) {
		store_fence();
		store(SLOT, 1);
	} else {
		store_plain(SLOT, 1);
	}
	store(SEQ, 2); /* posh__write_end */
	store(LOCK, 0);
	here(no);
}

static void
finder(void)
{
	label no = new_label();

	read_object(2, ENTRY2, no);
	must(peek(BODY), EQ, 0, "an object is seen ahead of its constructor");
	here(no);
}

static const struct model birth_find = {
	.name = "a birth and a reader",
	.word = unborn,
	.thread = {maker_places, finder},
	.after = settled,
	.twin = {{"PUBLISH", ON_ARM}},
};

/*
 * A thread is killed in the middle of a drop, and recovered
 */

/* link.c: settle_freeing and settle_dying; hold.c: posh__holds_purge. */
static void
recovery(void)
{
	label out = new_label(), not_freeing = new_label();
	label not_dying = new_label(), checks = new_label();
	label none = new_label();
	val w;

	go_if(killed(0), EQ, 0, out);
	go_if(load(FREEING), EQ, 0, not_freeing);
	w = load(WORD);
	go_if(w, NE, BLOCK(POSH__DEAD, 0, 0), not_freeing);
	store(DEAD, 0);
	store_plain(KIND, RAW);
	store(WORD, FREE);
	here(not_freeing);
	store(FREEING, 0);
	go_if(load(DYING), EQ, 0, not_dying);
	w = load(WORD);
	go_if(w, NE, BLOCK(POSH__DEAD, 0, 0), checks);
	store(DEAD, 1); /* posh__dead_push */
	go(not_dying);
	here(checks);
	go_if(w, EQ, FREE, not_dying);
	go_if(links(w), NE, 0, not_dying);
	free_check(0);
	here(not_dying);
	store(DYING, 0);
	destroy(0);
	go_if(load(ENTRY), EQ, 0, out);
	go_if(load(ENTRY), EQ, TOMB, out);
	store(ENTRY, DROPPING);
	if (rule("PURGE_FENCE"))
		fence();
	w = load(WORD);
	go_if(w, EQ, FREE, none);
	go_if(links(w), NE, 0, none);
	free_check(0);
	destroy(0);
	here(none);
	store(ENTRY, TOMB);
	here(out);
}

static const struct model drop_killed = {
	.name = "a drop that is killed, and an unlink",
	.word = linked_held,
	.thread = {dropper, unlinker, recovery},
	.after = settled,
	.mortal = 1,
	.twin = {{"PURGE_FENCE", ON_TSO | ON_RCPC}, {"ENTRY", EVERYWHERE}},
};

static const struct model hold_killed = {
	.name = "a hold that is killed, and an unlink",
	.word = linked,
	.thread = {reader_drops, unlinker, recovery},
	.after = settled,
	.mortal = 1,
	.twin = {{"ENTER_FENCE", ON_TSO | ON_RCPC},
		 {"PURGE_FENCE", ON_TSO | ON_RCPC}},
};

static const struct model hold_killed_large = {
	.name = "two holds, one is killed, and an unlink",
	.word = linked_for_two,
	.thread = {reader_drops, unlinker, second_reader, recovery},
	.after = settled,
	.mortal = 1,
	.large = true,
	.twin = {{"STEAL", EVERYWHERE}},
};

const struct model *const hold_kernels[] = {
	&hold_unlink,      &hold_drop_unlink,  &read_unlink,  &holds_unlink,
	&drop_unlink,      &drop_drop,         &drops_unlink, &three_drops,
	&drop_link,        &drop_link_hold,    &fork_unlink,  &grow_drop_unlink,
	&grow_hold_unlink, &birth_check,       &birth_find,   &drop_killed,
	&hold_killed,      &hold_killed_large, NULL};

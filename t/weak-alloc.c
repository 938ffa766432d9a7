/* SPDX-License-Identifier: MIT */
/* weak-alloc.c - models of blocks that others free (alloc.c): one block, of a
 * span whose owner is thread 1. */
#include "config.h"

#include <stddef.h>

#include "layout.h"
#include "weak.h"

enum {
	WORD,   /* the block's state word, */
	KIND,   /* its kind, */
	BODY,   /* and a word of it */
	REMOTE, /* of the span: freed by others */
	LISTED, /* the owner's list has the block */
	MAP,    /* the span's bit among those with remote frees */
	TOLD,   /* the owner's entry: remote */
	ENTRY,  /* the owner's table of holds */
	WORDS
};

enum {
	RAW = POSH__KIND_RAW,
	LIST = POSH__KIND_LIST,
	DICT = POSH__KIND_DICT,
	FREE = POSH__FREE,
	LIVE = POSH__LIVE,
	DEAD = POSH__DEAD,
};

#define START(block)                                                           \
	[WORD] = {"word", block}, [KIND] = {"kind", DICT},                     \
	[BODY] = {"body", 7}, [REMOTE] = {"remote", 0},                        \
	[LISTED] = {"list", 0}, [MAP] = {"map", 0}, [TOLD] = {"told", 0},      \
	[ENTRY] = {"entry", 0}

static const struct model_word words[WORDS + 1] = {START(DEAD)};
static const struct model_word never_used[WORDS + 1] = {START(FREE)};

/* posh__block_free, of a block of another's span, and tell_owner. */
static void
free_block(void)
{
	if (!rule("COUNT_LAST"))
		add(REMOTE, 1);
	if (rule("RAW_FIRST"))
		store_plain(KIND, RAW);
	if (rule("FREE_RELEASE"))
		store(WORD, FREE);
	else
		store_plain(WORD, FREE);
	if (!rule("RAW_FIRST"))
		store_plain(KIND, RAW);
	if (rule("COUNT_LAST"))
		add(REMOTE, 1);
}

/* sweep. */
static void
sweep(void)
{
	label taken = new_label();

	store(REMOTE, 0);
	if (rule("SWEEP_FENCE"))
		fence();
	go_if(load(WORD), NE, FREE, taken);
	store_plain(KIND, RAW);
	store(LISTED, 1);
	here(taken);
}

/* posh__block_reserve; hold.c: posh__hold_alloc; object.c: construct. */
static void
make_object(void)
{
	label none = new_label();

	go_if(peek(LISTED), EQ, 0, none);
	store(LISTED, 2);
	store(ENTRY, POSH__HOLD_ALLOCATING);
	store(WORD, LIVE);
	store_plain(BODY, 0);
	compiler_fence();
	store_plain(KIND, LIST);
	store(ENTRY, POSH__HOLD_HELD);
	here(none);
}

static void
owner(void)
{
	sweep();
	make_object();
}

/* In use again, in the list, or found by the next sweep. */
static void
not_lost(void)
{
	label lives = new_label(), out = new_label();

	go_if(load(LISTED), EQ, 2, lives);
	must(load(WORD), EQ, FREE, "a block is not free");
	must(load(KIND), EQ, RAW, "a free block is of a kind");
	go_if(load(LISTED), EQ, 1, out);
	must(load(REMOTE), EQ, 1, "a free block is lost");
	go(out);
	here(lives);
	must(load(WORD), EQ, LIVE, "a block is not alive");
	must(load(KIND), EQ, LIST, "a former life's end is seen in this one");
	here(out);
}

static const struct model remote_free = {
	.name = "a remote free, a sweep and a birth",
	.word = words,
	.thread = {free_block, owner},
	.after = not_lost,
	.twin = {{"RAW_FIRST", EVERYWHERE},
		 {"COUNT_LAST", EVERYWHERE},
		 {"FREE_RELEASE", ON_ARM},
		 {"SWEEP_FENCE", ON_TSO | ON_RCPC}},
};

/* take: a block that was never in use, and is what it was in another life of
 * the span. */
static void
owner_killed(void)
{
	if (rule("RAW"))
		store_plain(KIND, RAW);
	store(LISTED, 1);
	make_object();
}

/* hold.c: posh__holds_purge; death.c: posh__destroy, of what kind? */
static void
recovery(void)
{
	label out = new_label();

	go_if(killed(0), EQ, 0, out);
	go_if(load(ENTRY), EQ, 0, out);
	go_if(load(WORD), NE, LIVE, out);
	go_if(peek(KIND), EQ, RAW, out);
	must(peek(BODY), EQ, 0, "a former life is taken apart");
	here(out);
}

static const struct model birth_killed = {
	.name = "a birth that is killed",
	.word = never_used,
	.thread = {owner_killed, recovery},
	.mortal = 1,
	.twin = {{"RAW", EVERYWHERE}},
};

/* tell_owner: the count has reached a threshold. */
static void
teller(void)
{
	store(WORD, FREE);
	add(REMOTE, 1);
	add(MAP, 1); /* posh__span_mark */
	if (rule("TELL_LAST"))
		store(TOLD, 1);
}

static void
early_teller(void)
{
	if (!rule("TELL_LAST"))
		store(TOLD, 1);
	teller();
}

/* collect_remote: it unmarks the span, then sweeps it. */
static void
collect_remote(void)
{
	label none = new_label();

	store(TOLD, 0);
	if (rule("TOLD_FENCE"))
		fence();
	go_if(load(MAP), EQ, 0, none);
	add(MAP, -1 & 0xff); /* posh__span_unmark */
	sweep();
	here(none);
}

/* If the block was not found, the owner will look again. */
static void
told(void)
{
	label found = new_label();

	go_if(load(LISTED), EQ, 1, found);
	must(load(MAP), EQ, 1, "a span has no bit");
	must(load(TOLD), EQ, 1, "its owner does not look");
	must(load(REMOTE), EQ, 1, "its block is not counted");
	here(found);
}

static const struct model tell = {
	.name = "an owner is told",
	.word = words,
	.thread = {early_teller, collect_remote},
	.after = told,
	.twin = {{"TELL_LAST", EVERYWHERE}, {"TOLD_FENCE", ON_TSO | ON_RCPC}},
};

const struct model *const alloc_kernels[] = {&remote_free, &birth_killed, &tell,
					     NULL};

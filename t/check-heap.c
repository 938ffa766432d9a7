/* SPDX-License-Identifier: MIT */
/* posh_heap_check, of what is not in objects: header, spans, state words,
 * members, holds, threads, monitors. */
#include "config.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "damage.h"
#include "lock.h"
#include "tap.h"

static uint64_t
run(void)
{
	return POSH__PAYLOAD(*root_slot("run")) >> POSH__SPAN_BITS;
}

/* The span of a block that we allocated. */
static uint64_t
own_span(void)
{
	return POSH__PAYLOAD(*root_slot("x")) >> POSH__SPAN_BITS;
}

/* A span in that state. */
static uint64_t
span_in(unsigned state)
{
	uint64_t n, end = heap->hdr->size >> POSH__SPAN_BITS;

	for (n = heap->hdr->first; n < end; n++)
		if (POSH__SPAN_STATE(*posh__span_word(heap, n)) == state)
			return n;
	abort();
}

static posh__word *
map_word(enum posh__map map, uint64_t n)
{
	uint64_t words = (heap->hdr->nspans + 63) / 64;

	return word_at(heap->hdr->bits_off + (map * words + n / 64) * 8);
}

static void
unmark(enum posh__map map, uint64_t n)
{
	posh__word *w = map_word(map, n);

	set(w, *w & ~(UINT64_C(1) << n % 64));
}

static struct posh__thread *
thread(uint32_t tid)
{
	return posh__thread_at(heap, tid);
}

/* A thread entry that is free: made one of ours. */
static struct posh__thread *
ghost(void)
{
	struct posh__thread *t = thread(self->tid + 1);

	set(&t->state, POSH__THREAD_WORD(1, heap->index, POSH__THREAD_LIVE));
	return t;
}

/* The entry of an object in our table of holds. */
static posh__word *
hold_entry(uint64_t object)
{
	posh__word *t = word_at(heap->holds.table);
	uint64_t i;

	for (i = 0; i < UINT64_C(1) << heap->holds.bits; i++)
		if ((t[i] & POSH__HANDLE_MASK) == object)
			return &t[i];
	abort();
}

static posh__word *
hold_end(void)
{
	posh__word *w = hold_entry(lonely.off) + 3;

	if (*w)
		abort();
	return w;
}

static void
header_fixed(void)
{
	set((posh__word *)&heap->hdr->max_size, heap->hdr->max_size / 2);
}

static void
header_size(void)
{
	set(&heap->hdr->size, heap->hdr->size + 4 * POSH__SPAN);
}

static void
header_collected(void)
{
	set(&heap->hdr->collected, heap->hdr->size + 1);
}

static void
header_hint(void)
{
	set(&heap->hdr->free_hint, heap->hdr->first - 1);
}

static void
header_hint_beyond(void)
{
	set(&heap->hdr->free_hint, posh__span_end(heap) + 1);
}

static void
header_high(void)
{
	set(&heap->hdr->members_high, POSH__MEMBERS + 1);
}

static void
header_lock(void)
{
	poke(&heap->hdr->grow_lock, 4, 77 << 16 | self->tid);
}

static void
span_unknown(void)
{
	set(posh__span_word(heap, span_in(POSH__SPAN_FREE)), 9);
}

static void
span_stamp(void)
{
	posh__word *w = posh__span_word(heap, own_span());

	set(w, *w | UINT64_C(1) << 40);
}

static void
span_nobodys(void)
{
	posh__word *w = posh__span_word(heap, own_span());

	set(w, *w + (UINT64_C(1) << 16));
}

static void
span_unlisted(void)
{
	struct posh__span *s = posh__span_at(heap, self->t->spans);

	set(&self->t->spans, s->next);
	if (self->t->spans)
		set(&posh__span_at(heap, self->t->spans)->prev, 0);
}

static void
span_foreign(void)
{
	set(&posh__span_at(heap, self->t->spans)->next,
	    span_in(POSH__SPAN_ORPHAN));
}

static void
span_cycle(void)
{
	struct posh__span *s = posh__span_at(heap, self->t->spans);

	while (s->next)
		s = posh__span_at(heap, s->next);
	set(&s->next, self->t->spans);
}

static void
span_beyond(void)
{
	struct posh__span *s = posh__span_at(heap, self->t->spans);

	while (s->next)
		s = posh__span_at(heap, s->next);
	set(&s->next, heap->hdr->nspans);
}

static void
span_back(void)
{
	set(&posh__span_at(heap, self->t->spans)->prev, 5);
}

static void
span_orphan(void)
{
	unmark(POSH__MAP_ORPHAN, span_in(POSH__SPAN_ORPHAN));
}

static void
span_orphans(void)
{
	set(&heap->hdr->orphans, 0);
}

static void
span_future(void)
{
	set(posh__span_word(heap, span_in(POSH__SPAN_FREE)),
	    POSH__SPAN_WORD(POSH__SPAN_LIMBO, 0, 0, heap->hdr->epoch + 9));
}

static void
span_free(void)
{
	unmark(POSH__MAP_FREE, span_in(POSH__SPAN_FREE));
}

static void
span_claimed(void)
{
	set(posh__span_word(heap, span_in(POSH__SPAN_FREE)),
	    POSH__SPAN_WORD(POSH__SPAN_CLAIMED, 0, self->tid, 0));
}

static void
span_cont(void)
{
	set(posh__span_word(heap, span_in(POSH__SPAN_FREE)),
	    POSH__SPAN_WORD(POSH__SPAN_CONT, 0, 0, 1));
}

static void
span_holds(void)
{
	set(posh__span_word(heap, span_in(POSH__SPAN_FREE)),
	    POSH__SPAN_WORD(POSH__SPAN_HOLDS, POSH__CLASS_RUN, heap->index, 1));
}

static void
span_reserve(void)
{
	uint64_t n = (heap->hdr->size >> POSH__SPAN_BITS) - 1;

	set(posh__span_word(heap, n),
	    POSH__SPAN_WORD(POSH__SPAN_RUN, POSH__CLASS_RUN, self->tid, 1));
}

static void
run_torn(void)
{
	set(posh__span_word(heap, run() + 1), 0);
	set(map_word(POSH__MAP_FREE, run() + 1), UINT64_MAX);
}

static void
run_long(void)
{
	posh__word *w = posh__span_word(heap, run());

	set(w, *w | UINT64_C(1) << 60);
}

static void
run_bytes(void)
{
	set(&posh__span_at(heap, run())->bytes, 1 << 20);
}

static void
run_front(void)
{
	set(&posh__span_at(heap, run())->word0, UINT64_C(2) << 32);
}

static void
run_empty(void)
{
	set(&posh__span_at(heap, run())->state[0], 0);
}

static void
front_inverse(void)
{
	posh__word *w = &posh__span_at(heap, own_span())->inverse;

	set(w, *w + 1);
}

static void
front_count(void)
{
	posh__word *w = &posh__span_at(heap, own_span())->word0;

	set(w, *w - (UINT64_C(1) << 32));
}

static void
free_links(void)
{
	set(state_of(free_block()), 1);
}

static void
free_claimer(void)
{
	set(state_of(free_block()), POSH__WORD(POSH__FREE, self->tid, 0, 0));
}

static void
free_kind(void)
{
	poke((char *)word_at(free_block()) + 4, 2, POSH__KIND_BYTES);
}

static void
free_count(void)
{
	posh__word *w = &posh__span_at(heap, own_span())->list;

	set(w, *w + (UINT64_C(1) << 32));
}

static void
free_foreign(void)
{
	posh__word *w = &posh__span_at(heap, own_span())->list, i = 0;

	while (!posh__span_at(heap, own_span())->state[i])
		i++;
	set(w, (*w & ~UINT64_C(0xffff)) | (i + 1));
}

static void
free_cycle(void)
{
	set(word_at(free_block() + 8),
	    posh__span_at(heap, own_span())->list & 0xffff);
}

static void
free_bump(void)
{
	posh__word *w = &posh__span_at(heap, own_span())->list;

	set(w, (*w & ~UINT64_C(0xffff0000)) + (UINT64_C(3) << 32));
}

static void
free_range(void)
{
	posh__word *w = &posh__span_at(heap, own_span())->list;

	set(w, *w | UINT64_C(0xffff) << 16);
}

static void
word_state(void)
{
	posh__word *w = state_of(list.off);

	set(w, *w | UINT64_C(5) << POSH__STATE_SHIFT);
}

static void
word_condemned(void)
{
	set(state_of(lonely.off), POSH__WORD(POSH__CONDEMNED, self->tid, 0, 0));
}

static void
word_who(void)
{
	posh__word *w = state_of(list.off);

	set(w, *w | POSH__WHO_MASK << POSH__WHO_SHIFT);
}

static void
word_more(void)
{
	posh__word *w = state_of(list.off);

	set(w, *w + 1);
}

static void
word_less(void)
{
	posh__word *w = state_of(list.off);

	set(w, *w - 1);
}

static void
word_kind(void)
{
	poke(&posh__object(heap, lonely.off)->kind, 2, 9);
}

static void
word_raw(void)
{
	poke(&posh__object(heap, lonely.off)->kind, 2, POSH__KIND_RAW);
}

static void
nobody_holds(void)
{
	set(hold_entry(lonely.off), POSH__HOLD_TOMB);
}

static void
owners_of_body(void)
{
	uint64_t b = posh__object(heap, list.off)->body;

	set(&posh__object(heap, lonely.off)->body, b);
	set(state_of(b), *state_of(b) + 1);
}

static void
owners_of_box(void)
{
	posh__word *v = root_slot("y");
	uint64_t b = body()->slot[TEXT];

	set(v, b);
	set(state_of(POSH__PAYLOAD(b)), *state_of(POSH__PAYLOAD(b)) + 1);
}

static void
stray_slot(void)
{
	set(root_slot("y"), POSH__TAGGED(POSH__TAG_BOX, free_block()));
}

static void
stray_body(void)
{
	set(&posh__object(heap, lonely.off)->body, free_block());
}

static void
stray_place(void)
{
	set(&heap->hdr->place[3], POSH__TAGGED(POSH__TAG_OBJECT, free_block()));
}

static void
stray_own(void)
{
	set(&self->t->val[2], POSH__TAGGED(POSH__TAG_BOX, free_block()));
}

static void
member_table(void)
{
	set(&posh__member_at(heap, heap->index + 1)->holds, 1);
}

static void
member_state(void)
{
	set(&heap->member->state, heap->member->state + 5);
}

static void
member_no_table(void)
{
	set(&heap->member->holds, 0);
}

static void
member_small_table(void)
{
	set(&heap->member->holds, heap->member->holds + (UINT64_C(1) << 48));
}

static void
hold_state(void)
{
	set(hold_entry(lonely.off),
	    (uint64_t)POSH__HOLD_ALLOCATING << POSH__HOLD_SHIFT | lonely.off);
}

static void
hold_free(void)
{
	set(hold_end(),
	    (uint64_t)POSH__HOLD_HELD << POSH__HOLD_SHIFT | free_block());
}

static void
hold_box(void)
{
	set(hold_end(), (uint64_t)POSH__HOLD_HELD << POSH__HOLD_SHIFT |
				POSH__PAYLOAD(body()->slot[TEXT]));
}

static void
hold_lost(void)
{
	set(hold_end(),
	    (uint64_t)POSH__HOLD_HELD << POSH__HOLD_SHIFT | list.off);
}

static void
hold_twice(void)
{
	set(hold_entry(lonely.off) + 1, *hold_entry(lonely.off));
}

static void
hold_bits(void)
{
	posh__word *e = hold_entry(lonely.off);

	set(e, *e | UINT64_C(1) << 50);
}

static void
thread_owns(void)
{
	set(&thread(self->tid + 1)->val[3], POSH__NONE);
}

static void
thread_spans(void)
{
	set(&thread(self->tid + 1)->spans, own_span());
}

static void
thread_journal(void)
{
	set(&thread(self->tid + 1)->dying, lonely.off);
}

static void
thread_listing(void)
{
	set(&thread(self->tid + 1)->held[2], lonely.off);
}

static void
thread_state(void)
{
	set(&ghost()->state,
	    POSH__THREAD_WORD(1, heap->index, POSH__THREAD_DYING + 2));
}

static void
thread_nobodys(void)
{
	set(&ghost()->state, POSH__THREAD_WORD(1, 200, POSH__THREAD_LIVE));
}

static void
thread_opno(void)
{
	set(&ghost()->opno, 1);
}

static void
thread_step(void)
{
	set(&self->t->step, 1);
}

static void
thread_dead(void)
{
	set(&self->t->dead, lonely.off);
}

static void
thread_busy(void)
{
	set(&ghost()->span_busy, UINT64_C(1) << 32 | own_span());
}

static void
thread_waits(void)
{
	set(&ghost()->waits, 24);
}

static void
thread_monitor(void)
{
	set(&ghost()->held[1], lonely.off + 1);
}

static void
thread_ahead(void)
{
	set(&ghost()->active, (heap->hdr->epoch + 9) << 2 | 1);
}

static void
thread_stage(void)
{
	set(&ghost()->stage, list.off);
}

static void
thread_body(void)
{
	set(&ghost()->newbody, POSH__PAYLOAD(body()->slot[TEXT]));
}

static void
thread_trash(void)
{
	set(&ghost()->trash, tuple.off);
}

static void
thread_staged(void)
{
	set(&ghost()->stage, posh__object(heap, list.off)->body);
	set(&body()->slot[BIG], 77);
	set(&posh__object(heap, list.off)->body, 0);
}

static void
lock_odd(void)
{
	set(&posh__object(heap, list.off)->seq, 7);
}

static void
lock_unknown(void)
{
	poke(&posh__object(heap, list.off)->lock, 4, 77 << 16 | self->tid);
}

static void
lock_unlisted(void)
{
	poke(&posh__object(heap, list.off)->lock, 4, self->name);
}

static const struct damage damages[] = {
	{"a limit is changed", header_fixed, "the header is none"},
	{"the heap is larger than its file", header_size, "header is none"},
	{"more in use than there is", header_collected, "more was in use"},
	{"a hint to the tables", header_hint, "to look from for a free"},
	{"a hint beyond the heap", header_hint_beyond, "to look from for a"},
	{"more members than there can be", header_high, "header is none"},
	{"growth is locked by nobody", header_lock, "the lock of growth"},

	{"a span in no state", span_unknown, "has word 0x9"},
	{"a span with a stamp", span_stamp, "has word"},
	{"a span of a free thread entry", span_nobodys, "belongs to thread"},
	{"a span that its owner does not list", span_unlisted, "in no list"},
	{"a list with another's span", span_foreign, "not its own"},
	{"a list of spans that is a circle", span_cycle, "which is listed"},
	{"a list that leads out of the heap", span_beyond, "which is none"},
	{"a list with a wrong way back", span_back, "says it comes after"},
	{"an orphan without its bit", span_orphan, "is an orphan, and"},
	{"orphans that nobody looks for", span_orphans, "are orphans, said"},
	{"a span given up in the future", span_future, "has word 0x"},
	{"a free span without its bit", span_free, "is free, and nothing"},
	{"a span that is being claimed", span_claimed, "still being claimed"},
	{"a part of no run", span_cont, "continues no run"},
	{"a table of holds that nobody has", span_holds, "that is nobody's"},
	{"data where only tables may be", span_reserve, "for tables of holds"},
	{"a run with a hole", run_torn, "is not part of the run"},
	{"a run that leads out of the heap", run_long, "the run at span"},
	{"a block that does not fit its run", run_bytes, "of another size"},
	{"a run with a wrong front", run_front, "another front than a run"},
	{"a run without a block", run_empty, "has no block"},
	{"a front with a wrong inverse", front_inverse, "than its class"},
	{"a front with a block less", front_count, "than its class"},

	{"a free block with a link", free_links, "with links or a claimer"},
	{"a free block with a claimer", free_claimer, "with links or a claim"},
	{"a free block with a kind", free_kind, "a free block with a kind"},
	{"one free block more than there are", free_count, "another length"},
	{"a live block in a free list", free_foreign, "another one in it"},
	{"a free list that is a circle", free_cycle, "another length"},
	{"a live block that is unused", free_bump, "that was never taken"},
	{"a free list that leads out of it", free_range, "out of range"},

	{"a block in no state", word_state, "which does not last"},
	{"a block that is condemned", word_condemned, "in state 2"},
	{"a block of a thread that is none", word_who, "changed by thread"},
	{"a link too many", word_more, "links instead of"},
	{"a link too few", word_less, "links of"},
	{"a live block of no kind", word_kind, "is live, of kind 9"},
	{"a live block without a kind", word_raw, "is live, of kind 0"},
	{"an object that nobody holds", nobody_holds, "lives for nobody"},
	{"a body of two lists", owners_of_body, "has 2 owners"},
	{"a box in two slots", owners_of_box, "has 2 owners"},
	{"a slot that names a free block", stray_slot, "names no live block"},
	{"a header that names a free block", stray_body, "names no live"},
	{"a place that names a free block", stray_place, "names no live"},
	{"a thread that owns a free block", stray_own, "names no live block"},

	{"a free member with a table", member_table, "has a hold table"},
	{"a member in no state", member_state, "is in state 7"},
	{"a member without a table", member_no_table, "has no table of holds"},
	{"a table of another size", member_small_table, "no table of holds"},
	{"a hold that is being made", hold_state, "is in state 4"},
	{"a hold of a free block", hold_free, "is held, and no live block"},
	{"a hold of a box", hold_box, "is held, and no object"},
	{"a hold that is not found", hold_lost, "where nobody finds it"},
	{"a hold that is there twice", hold_twice, "where nobody finds it"},
	{"a hold with a bit too many", hold_bits, "is held, and no live"},

	{"a free thread with a value", thread_owns, "is free and owns"},
	{"a free thread with a span", thread_spans, "is free and owns"},
	{"a free thread with a journal", thread_journal, "is free and owns"},
	{"a free thread with a monitor", thread_listing, "is free and owns"},
	{"a thread in no state", thread_state, "is in state 4"},
	{"a thread of no member", thread_nobodys, "is of member 200"},
	{"an intent of an idle thread", thread_opno, "in the middle of"},
	{"a count step that is not over", thread_step, "in the middle of"},
	{"a list of the dead", thread_dead, "in the middle of"},
	{"an idle thread at a span", thread_busy, "is at a span"},
	{"a wait for what is no place", thread_waits, "waits for 0x18"},
	{"a monitor that is no place", thread_monitor, "lists a monitor"},
	{"a call of the future", thread_ahead, "in a call of the future"},
	{"a stage that is a list", thread_stage, "which is no body"},
	{"a new body that is a text", thread_body, "which is no body"},
	{"a trash that is a tuple", thread_trash, "which is no body"},
	{"a stage with no value", thread_staged, "which is no value"},
	{"a sequence that is odd", lock_odd, "sequence odd, and nobody"},
	{"a monitor of nobody", lock_unknown, "an owner of no name"},
	{"a monitor its owner does not list", lock_unlisted, "does not list"},
};

/* The file is changed, not the heap. */
static void
too_large_a_file(void)
{
	struct stat st;

	if (stat(heap_path, &st) ||
	    truncate(heap_path, (off_t)heap->hdr->reserve + 4096))
		abort();
	ok(damage_heard("the header is none of a heap with"),
	   "a file larger than the heap may get: it says so");
	if (truncate(heap_path, st.st_size))
		abort();
}

int
main(void)
{
	alarm(200);
	damage_make();
	damage_all(damages, sizeof(damages) / sizeof(damages[0]));
	too_large_a_file();
	damage_end();
	return tap_done();
}

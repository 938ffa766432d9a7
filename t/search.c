/* SPDX-License-Identifier: MIT */
/* search.c - all states that a model can come to, depth first.
 *
 * A state that was seen is known again by 128 bits of hash: of some millions
 * no two have the same but by a miracle.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "machine.h"
#include "tap.h"

/* States: 16 bytes each, half of them for growing. */
enum { MOST = 20000000 };

struct hash {
	uint64_t a, b;
};

struct node {
	struct state state;
	struct step by;
	bool entered;
};

/* There is one search at a time. */
static struct machine machine;
static struct hash *seen;
static size_t nseen, room;
static struct node *stack;
static size_t depth, deepest;

static void *
need(void *p)
{
	if (p)
		return p;
	printf("Bail out! no memory\n");
	exit(99);
}

static uint64_t
mix(uint64_t h, uint64_t w)
{
	unsigned __int128 x =
		(unsigned __int128)(h ^ w) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint64_t)x ^ (uint64_t)(x >> 64);
}

static void
mix_bytes(struct hash *h, const void *p, size_t n)
{
	const char *from = p;
	uint64_t w;

	for (; n; n -= n < 8 ? n : 8, from += 8) {
		w = 0;
		memcpy(&w, from, n < 8 ? n : 8);
		h->a = mix(h->a, w);
		h->b = mix(h->b + UINT64_C(0xd6e8feb86659fd93), w);
	}
}

static struct hash
hash_of(const struct state *s)
{
	struct hash h = {1, 2};
	unsigned t;

	mix_bytes(&h, s->mem, sizeof(s->mem));
	for (t = 0; t < machine.ncores; t++) {
		const struct core *c = &s->core[t];

		mix_bytes(&h, c, offsetof(struct core, w));
		mix_bytes(&h, c->w, c->n * sizeof(c->w[0]));
	}
	h.b |= 1; /* 0 is an empty place */
	return h;
}

/* Note a state; false: it was there. */
static bool
note(struct hash h)
{
	size_t i;

	for (i = h.a & (room - 1); seen[i].b; i = (i + 1) & (room - 1))
		if (seen[i].a == h.a && seen[i].b == h.b)
			return false;
	seen[i] = h;
	nseen++;
	return true;
}

static void
make_room(void)
{
	struct hash *old = seen;
	size_t n = room, i;

	if (nseen < room / 2)
		return;
	room = room ? 2 * room : 1 << 12;
	seen = need(calloc(room, sizeof(*seen)));
	nseen = 0;
	for (i = 0; i < n; i++)
		if (old[i].b)
			note(old[i]);
	free(old);
}

static void
reach(struct machine *m, const struct state *s, const struct step *by)
{
	(void)m;
	make_room();
	if (!note(hash_of(s)))
		return;
	if (depth == deepest) {
		deepest = deepest ? 2 * deepest : 1024;
		stack = need(realloc(stack, deepest * sizeof(*stack)));
	}
	stack[depth++] = (struct node){*s, *by, false};
}

/* What is wrong with a state that leads nowhere? */
static const char *
end_of(const struct state *s)
{
	if (!machine_over(&machine, s) && machine_stuck(&machine, s))
		return "all wait for each other";
	return NULL;
}

/* Look at everything; why not? */
static const char *
walk(void)
{
	machine_begin(&machine);
	while (depth) {
		struct node *n = &stack[depth - 1];
		struct state s = n->state;
		const char *why = NULL;

		if (n->entered) {
			depth--;
			continue;
		}
		n->entered = true;
		if (!machine_steps(&machine, &s))
			why = end_of(&s);
		if (machine.wrong)
			why = machine.wrong;
		if (why)
			return why;
		if (machine.narrow || nseen > MOST)
			break;
	}
	return NULL;
}

static void
print_memory(const struct state *s)
{
	const struct model_word *w = machine.model->word;
	char line[400];
	size_t n = 0;
	unsigned k;

	for (k = 0; w[k].name && n < sizeof(line) - 40; k++)
		if (s->mem[k])
			n += (size_t)snprintf(line + n, sizeof(line) - n,
					      " %s=%x", w[k].name, s->mem[k]);
	line[n] = 0;
	tap_note("      %s", line);
}

static void
print_step(const struct step *by)
{
	char text[80];

	program_print(&machine.program[by->core], by->pc, machine.model->word,
		      text, sizeof(text));
	if (by->core + 1u == machine.ncores)
		tap_note("afterwards: %s", text);
	else
		tap_note("thread %u %s: %s", by->core, by->what, text);
}

/* The path to where we are, and the last step, which leads to nothing that is
 * on the stack. */
static void
print_path(void)
{
	size_t i;

	for (i = 0; i < depth; i++) {
		const struct node *n = &stack[i];

		if (!n->entered || !n->by.what)
			continue;
		print_step(&n->by);
		print_memory(&n->state);
	}
	print_step(&machine.step);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void
model_search(const struct model *m, enum arch arch, const char *without,
	     bool trace, struct verdict *out)
{
	double begin = now();
	const char *why;

	machine_make(&machine, m, arch, without);
	machine.reach = reach;
	nseen = room = depth = deepest = 0;
	why = walk();
	if (why && trace)
		print_path();
	memset(out, 0, sizeof(*out));
	out->failed = why != NULL;
	out->unknown = !why && depth;
	snprintf(out->why, sizeof(out->why), "%s", why ? why : "");
	out->states = (long)nseen;
	out->seconds = now() - begin;
	free(seen);
	free(stack);
	seen = NULL;
	stack = NULL;
}

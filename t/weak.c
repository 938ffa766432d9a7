/* SPDX-License-Identifier: MIT */
/* The core of the protocol on machines that do not keep everything in order.
 *
 *   weak.t                       all models; the large ones with POSH_SOAK
 *   weak.t NAME                  those whose name has NAME in it
 *   weak.t NAME RULE MACHINE     one without a rule (- for none) on one
 *                                machine; prints the steps to a failure
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "weak.h"

static const struct model *const *const lists[] = {
	hold_kernels, read_kernels, quiet_kernels, alloc_kernels};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

static double seconds;
static long states;

enum { UNKNOWN = 1 << ARCHS };

/* Search a model on all machines: on which does it fail?  line becomes a row
 * of the table. */
static unsigned
failures(const struct model *m, const char *without, char line[200])
{
	unsigned found = NOWHERE, arch;
	size_t n = 0;

	for (arch = 0; arch < ARCHS; arch++) {
		struct verdict v;

		model_search(m, (enum arch)arch, without, false, &v);
		n += (size_t)snprintf(line + n, 200 - n, " %7ld%s", v.states,
				      v.failed    ? "!"
				      : v.unknown ? "?"
						  : " ");
		found |= (unsigned)v.failed << arch;
		found |= v.unknown ? UNKNOWN : 0;
		seconds += v.seconds;
		states += v.states;
	}
	return found;
}

static const char *
names(unsigned on, char out[40])
{
	unsigned arch;

	if (on == NOWHERE)
		return "nowhere";
	if (on == EVERYWHERE)
		return "everywhere";
	strcpy(out, "on");
	for (arch = 0; arch < ARCHS; arch++)
		if (on & 1u << arch) {
			strcat(out, " ");
			strcat(out, arch_name[arch]);
		}
	return out;
}

static void
heading(const char *what)
{
	char line[200] = "";
	unsigned arch;

	for (arch = 0; arch < ARCHS; arch++)
		sprintf(line + strlen(line), " %7s ", arch_name[arch]);
	tap_note("%-42s%s", what, line);
}

static void
test_litmus(const struct litmus *l)
{
	char line[200], text[40];
	struct model m;
	unsigned on;

	litmus_model(l, &m);
	on = failures(&m, NULL, line);
	tap_note("%-42s%s", l->name, line);
	ok(on == l->seen, "%s: (%s) shows (%s) %s", l->name, l->threads,
	   l->outcome, names(l->seen, text));
}

static void
test_kernel(const struct model *m)
{
	const struct model_twin *t;
	char line[200], text[40];
	unsigned on = failures(m, NULL, line);

	tap_note("%-42s%s", m->name, line);
	ok(on == NOWHERE, "%s: nothing fails", m->name);
	for (t = m->twin; t->rule; t++) {
		on = failures(m, t->rule, line);
		tap_note("  without %-32s%s", t->rule, line);
		ok(on == t->caught, "%s: without %s it fails %s", m->name,
		   t->rule, names(t->caught, text));
	}
}

/* One search, told in full. */
static int
replay(const struct model *m, const char *without, const char *machine)
{
	unsigned arch;
	struct verdict v;

	for (arch = 0; arch < ARCHS; arch++)
		if (!strcmp(arch_name[arch], machine))
			break;
	if (arch == ARCHS)
		return 99;
	if (!strcmp(without, "-"))
		without = NULL;
	model_search(m, (enum arch)arch, without, true, &v);
	printf("%s on %s: %s\n", m->name, machine,
	       v.failed    ? v.why
	       : v.unknown ? "too large a search"
			   : "holds");
	return v.failed;
}

static bool
wanted(const struct model *m, const char *name)
{
	if (m->large && !*name && !tap_soak())
		return false;
	return strstr(m->name, name) != NULL;
}

static int
replay_named(const char *name, const char *without, const char *machine)
{
	const struct model *const *m;
	const struct litmus *l;
	struct model made;
	unsigned i;

	for (l = litmus; l->name; l++)
		if (!strcmp(l->name, name)) {
			litmus_model(l, &made);
			return replay(&made, without, machine);
		}
	for (i = 0; i < LISTS; i++)
		for (m = lists[i]; *m; m++)
			if (strstr((*m)->name, name))
				return replay(*m, without, machine);
	return 99;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct model *const *m;
	const struct litmus *l;
	unsigned i;

	if (argc > 3)
		return replay_named(name, argv[2], argv[3]);
	heading("states; !: the odd outcome is seen");
	for (l = litmus; l->name; l++)
		if (strstr(l->name, name))
			test_litmus(l);
	heading("states; !: it fails");
	for (i = 0; i < LISTS; i++)
		for (m = lists[i]; *m; m++)
			if (wanted(*m, name))
				test_kernel(*m);
	tap_note("%ld states in %.1f s", states, seconds);
	return tap_done();
}

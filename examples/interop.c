/* SPDX-License-Identifier: MIT */
/* interop.c - one half of a pair: interop.py is the other.
 *
 * Both open the same heap and count in its root dict, each ROUNDS times and
 * both at once; each leaves a list there that the other reads and checks.
 *
 *     cc interop.c $(pkg-config --cflags --libs posh) -o interop
 *     ./interop HEAP ROUNDS & python3 interop.py HEAP ROUNDS; wait
 */
#include <posh.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* End the program unless a call has succeeded; return its result. */
static int64_t
must(const char *what, int64_t result)
{
	if (result < 0) {
		fprintf(stderr, "interop: %s: %s\n", what,
			posh_error_text((int)result));
		exit(1);
	}
	return result;
}

static struct posh_value
text(const char *s)
{
	return posh_utf8(s, strlen(s));
}

/* root["c"] = [0, 1, 4, "C", 0.5] */
static void
leave_list(posh_heap *heap, posh_handle root)
{
	struct posh_value key = text("c"), v;
	struct posh_value item[] = {posh_int(0), posh_int(1), posh_int(4),
				    text("C"), posh_float(0.5)};
	posh_handle list;

	must("list", posh_list_new(heap, &list));
	must("extend", posh_list_extend(heap, list, item, 5));
	v = posh_object(list);
	must("set", posh_dict_set(heap, root, &key, &v));
	posh_object_drop(heap, list); /* root keeps it */
}

/* Add one to root["turns"], as one operation. */
static void
take_turn(posh_heap *heap, posh_handle root)
{
	struct posh_value key = text("turns"), v = posh_int(0), out;

	must("lock", posh_object_lock(heap, root, -1));
	must("setdefault", posh_dict_setdefault(heap, root, &key, &v, &out));
	v = posh_int(out.i + 1);
	must("set", posh_dict_set(heap, root, &key, &v));
	must("unlock", posh_object_unlock(heap, root));
}

static int64_t
turns(posh_heap *heap, posh_handle root)
{
	struct posh_value key = text("turns"), out;

	must("get", posh_dict_get(heap, root, &key, &out));
	return out.type == POSH_INT ? out.i : -1;
}

/* Is root["python"] the list [0, 1, 8, "Python", -0.5] by now? */
static int
other_left_list(posh_heap *heap, posh_handle root)
{
	struct posh_value key = text("python"), list, v[5];
	char *word;
	int same;

	if (posh_dict_get(heap, root, &key, &list) < 0)
		return 0;
	if (list.type != POSH_OBJECT || list.kind != POSH_KIND_LIST) {
		fprintf(stderr, "interop: root['python'] is no list\n");
		exit(1);
	}
	must("read", posh_list_read(heap, list.object, 0, 5, 0, v, NULL));
	word = posh_value_utf8(&v[3], NULL);
	same = v[0].i == 0 && v[1].i == 1 && v[2].i == 8 && word &&
	       strcmp(word, "Python") == 0 && v[4].f == -0.5;
	free(word);
	posh_object_drop(heap, list.object);
	return same;
}

int
main(int argc, char **argv)
{
	struct posh_options opts = {0};
	struct timespec tick = {0, 1000000};
	posh_heap *heap;
	posh_handle root;
	long rounds;

	if (argc != 3) {
		fprintf(stderr, "usage: interop HEAP ROUNDS\n");
		return 2;
	}
	rounds = atol(argv[2]);
	opts.size = sizeof(opts);
	opts.max_size = 64 << 20;
	opts.flags = POSH_CREATE;
	must(argv[1], posh_heap_open(argv[1], &opts, &heap));
	root = posh_heap_place(heap, POSH_ROOT);

	leave_list(heap, root);
	for (long i = 0; i < rounds; i++)
		take_turn(heap, root);
	for (int i = 0; i < 20000; i++) {
		if (turns(heap, root) == 2 * rounds &&
		    other_left_list(heap, root))
			break;
		nanosleep(&tick, NULL);
	}
	printf("C sees %lld turns\n", (long long)turns(heap, root));
	if (turns(heap, root) != 2 * rounds || !other_left_list(heap, root))
		return 1;
	posh_heap_close(heap);
	return 0;
}

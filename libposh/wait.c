/* SPDX-License-Identifier: MIT */
/* wait.c - sleeping on a word, and the private lock.
 *
 * A sleep on a word of the heap is never longer than 5 ms: who is to wake us
 * may have died between its change of the word and the call that wakes.
 */
#include "config.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "cancel.h"

#define MAX_SLEEP INT64_C(5000000)

#ifdef POSH_CHECK
static int64_t
begin_sleep(void)
{
	struct timespec t = {0, 0};

	if (posh__slept)
		clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
end_sleep(const volatile void *p, uint32_t seen, int64_t from, int64_t most)
{
	if (posh__slept)
		posh__slept(p, seen, from, most);
}
#else
#define begin_sleep()                  0
#define end_sleep(p, seen, from, most) ((void)(from))
#endif

static int
futex(posh__half *w, int op, uint32_t val, const struct timespec *timeout)
{
#ifdef POSH_CHECK
	if (posh__wait_hook && (op == FUTEX_WAIT || op == FUTEX_WAIT_PRIVATE)) {
		posh__wait_hook(w, val, timeout != NULL);
		return 0;
	}
#endif
	return syscall(SYS_futex, w, op, val, timeout, NULL, 0) < 0 ? -errno
								    : 0;
}

int
posh__sleep(struct posh__self *self, posh__half *w, uint32_t seen, int64_t ns)
{
	struct posh_heap *h = self->h;
	uint64_t inside = posh__peek(&self->t->active) & 3;
	bool hooks = h->before && h->after && !self->hookless;
	struct timespec timeout = {0, 0};
	void *token = NULL;
	int64_t from;
	int rc;

	timeout.tv_nsec = ns < 0 ? 0 : ns < MAX_SLEEP ? ns : MAX_SLEEP;
	if (inside)
		posh__leave(self);
	if (hooks)
		token = h->before(h->hook_arg);
	from = begin_sleep();
	rc = futex(w, FUTEX_WAIT, seen, &timeout);
	end_sleep(w, seen, from, timeout.tv_nsec);
	if (hooks)
		h->after(token, h->hook_arg);
	if (inside == 3)
		posh__begin_write(self);
	else if (inside)
		posh__begin(self, inside);
	return rc == -EINTR && hooks ? -EINTR : 0;
}

void
posh__wake(posh__half *w, int n)
{
	futex(w, FUTEX_WAKE, (uint32_t)n, NULL);
}

void
posh__nap(posh__half *w, uint32_t seen)
{
	struct timespec timeout = {0, MAX_SLEEP};
	int64_t from = begin_sleep();

	futex(w, FUTEX_WAIT, seen, &timeout);
	end_sleep(w, seen, from, MAX_SLEEP);
}

void
posh__pause(int64_t ns)
{
	struct timespec moment = {0, (long)ns};
	int64_t from = begin_sleep();
	POSH__UNCANCELLED;

#ifdef POSH_CHECK
	if (posh__wait_hook) {
		posh__wait_hook(NULL, 0, true);
		return;
	}
#endif
	nanosleep(&moment, NULL);
	end_sleep(NULL, 0, from, ns);
}

static void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

bool
posh__spin(const posh__half *w, uint32_t mask, unsigned rounds)
{
#ifdef POSH_CHECK
	/* Where one goes on at a time, looking again tells nothing. */
	if (posh__wait_hook)
		rounds = 1;
#endif
	while (rounds-- > 0) {
		if (!(posh__half_load(w) & mask))
			return true;
		relax();
	}
	return false;
}

/* 0: free; 1: locked; 2: locked, and somebody may sleep. */
void
posh__private_lock(posh__half *w)
{
	if (posh__half_cas(w, 0, 1))
		return;
	if (posh__spin(w, ~UINT32_C(0), 100) && posh__half_cas(w, 0, 1))
		return;
	/* From now on it is taken as 2: others may sleep too. */
	while (!posh__half_cas(w, 0, 2)) {
		posh__half_cas(w, 1, 2);
		futex(w, FUTEX_WAIT_PRIVATE, 2, NULL);
	}
}

void
posh__private_unlock(posh__half *w)
{
	if (posh__half_cas(w, 1, 0))
		return;
	posh__half_store(w, 0);
	futex(w, FUTEX_WAKE_PRIVATE, 1, NULL);
}

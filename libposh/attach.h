/* SPDX-License-Identifier: MIT */
/* attach.h - what a process keeps of its attachments: for heap.c, member.c,
 * thread.c and fork.c. */
#ifndef POSH_ATTACH_H
#define POSH_ATTACH_H

#include "thread.h"

/* The heaps that this process has open, and the lock of the list.  It is
 * taken before any heap's own lock, and held over an open, a close and a
 * fork. */
extern struct posh_heap *posh__heaps;
extern pthread_mutex_t posh__heaps_lock;
extern pthread_cond_t posh__heaps_unpinned;

/* Does the attachment belong to this process, not to a parent? */
static inline bool
posh__ours(const struct posh_heap *h)
{
	return posh__peek(h->cookie) != 0;
}

/* file.c */

/* Open the file behind a descriptor once more, as an open file description
 * of its own. */
int posh__reopen(int fd);

/* fd.c */

/* Is fd still a descriptor of the heap's file?  The user may have closed it,
 * and opened something else. */
bool posh__fd_ours(const struct posh_heap *h, int fd);

/* The heap's descriptor, opened again if the user closed it; or -EBADF. */
int posh__heap_fd(struct posh_heap *h);

/* Lock the process's byte again if the user closed the token. */
void posh__token_keep(struct posh_heap *h);

/* member.c */

/* Lock a byte of the heap's file by fd's description: 0, -EAGAIN (it is
 * locked), or another errno.  With wait: until it is free, ms milliseconds at
 * most. */
int posh__byte_lock(int fd, int64_t byte);
int posh__byte_wait(int fd, int64_t byte, int ms);
void posh__byte_unlock(int fd, int64_t byte);

/* Claim a free member entry in state st, its byte locked by fd.
 *   -EAGAIN  there is none left
 *   -ENOMEM */
int posh__member_claim(struct posh_heap *h, int fd, unsigned st,
		       uint32_t *index);

#define POSH__MEMBER_STATE(w)      ((unsigned)((w)&0xff))
#define POSH__MEMBER_WORD(gen, st) ((uint64_t)(gen) << 32 | (st))

/* Go from the state that the entry is in to another. */
void posh__member_become(struct posh__member *m, unsigned st);

/* alive.c */

/* Store who this process is, for those who will ask whether it is dead. */
void posh__member_sign(struct posh_heap *h, struct posh__member *m);

/* A number for this boot of the machine, or 0. */
uint64_t posh__boot(void);

/* Is nobody's description holding this byte?  False if that is unknown. */
bool posh__byte_free(struct posh_heap *h, int64_t byte);

#ifdef POSH_CHECK
/* A test's say in that: true if it has an answer. */
extern bool (*posh__dead_hook)(struct posh_heap *h, uint32_t member,
			       bool *answer);

/* wait.c: a test sleeps in our place until *p is not what was seen, or,
 * timed, a while. */
extern void (*posh__wait_hook)(const volatile void *p, uint32_t seen,
			       bool timed);

/* wait.c: a test hears that a thread has slept since `from`, by the clock that
 * only goes on: until *p was not what was seen, or with NULL without a reason
 * to wake up; for at most so many nanoseconds, if it got a processor then. */
extern void (*posh__slept)(const volatile void *p, uint32_t seen, int64_t from,
			   int64_t most);
#endif

/* Find out how the mapping is called in /proc/PID/maps. */
void posh__note_mapping(struct posh_heap *h);

/* thread.c */

/* Make the calling thread known to the heap, if it is not. */
int posh__self_make(struct posh_heap *h, struct posh__self **out);

/* The destructor of the key: the thread goes. */
void posh__thread_exit(void *arg);

/* Give the struct another entry: the thread is in a child now, and owns
 * nothing. */
void posh__self_rebind(struct posh__self *self, uint32_t tid);

/* Forget a thread's memory; its entry is settled and given back before. */
void posh__self_free(struct posh__self *self);

/* fork.c */

/* Make a child's entries, whose byte h->child_token is to lock; the table of
 * holds stands still. */
int posh__child_make(struct posh__self *self);

void posh__fork_register(void);

/* Fork without any of that: for a child that has no use for the heap. */
pid_t posh__fork_aside(void);

/* rehearse.c */

/* Would recovery make this heap a whole one?  0, or -EUCLEAN. */
int posh__rehearse(struct posh__self *self);

#endif

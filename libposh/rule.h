/* SPDX-License-Identifier: MIT */
/* rule.h - the rules that the protocol stands on.
 *
 * Where the code follows a rule it says so: POSH_RULE(NAME), which is true.
 * In libposh-check one of them can be left out (POSH_TWIN=NAME in the
 * environment); a test that does not notice tests nothing: t/twins.t.
 */
#ifndef POSH_RULE_H
#define POSH_RULE_H

/* The name of a rule, and what happens without it. */
#define POSH__RULES(X)                                                         \
	X(ENTER_FENCE, "a hold and its unlinker miss each other: freed early") \
	X(READ_FENCE, "as ENTER_FENCE, where more is read than one value")     \
	X(DROP_FENCE, "a drop and an unlink miss each other: never freed")     \
	X(CANCEL, "a hold given up without a free check: never freed")         \
	X(RESET, "a claimed object is linked and stays claimed")               \
	X(STEAL, "a checker leaves it to one that has looked: never freed")    \
	X(SCAN, "an object dies that somebody holds")                          \
	X(OWN_TABLE, "an object dies that another thread of one's own holds")  \
	X(WHO, "two threads of a process prove each other's claims")           \
	X(ENTRY, "a hold goes before its check: nobody knows after a death")   \
	X(DROPPING, "two that drop find each other: never freed")              \
	X(DYING, "a check nobody knows of after a death: never freed")         \
	X(SETTLED, "a slot lets go before its child is known to be dying")     \
	X(CHAIN, "the list of the dead is torn: never freed")                  \
	X(REACQUIRE, "a drop erases a hold that a thread took again")          \
	X(ENTERING, "a child inherits a hold of what may be dead")             \
	X(ALLOCATING, "a block is born that nobody knows of: never freed")     \
	X(RAW, "a block's former life is taken for its present one")           \
	X(RAW_FIRST, "a block is free, and what it was for a moment more")     \
	X(COUNT_LAST, "a free block is looked for before it is free: lost")    \
	X(SWEEP_FENCE, "a count of the freed is taken back: lost")             \
	X(TELL_LAST, "an owner looks for a span before it is marked: lost")    \
	X(TOLD_FENCE, "a call that came during a look is forgotten: lost")     \
	X(JOURNAL, "a body is born that no word names: never freed")           \
	X(BORN, "an object is born that its place does not name")              \
	X(KIND, "what a block was is taken for what it will be")               \
	X(GROW, "a table is read before it is filled: freed early")            \
	X(HANDED, "a table is a child's that its entry does not name: lost")   \
	X(EPOCH, "a fork's copy is missed by who scans: freed early")          \
	X(EPOCH_ORDER, "as EPOCH: told before it is there")                    \
	X(LIMBO, "a span gets another class under a late look")                \
	X(SEQ, "a change that was not made is taken for made")                 \
	X(NOTED, "a count changes before the thread says so")                  \
	X(SUSPECT, "a count is wrong after a death, and nobody says so")       \
	X(UNDECIDED, "a change that may be made is made again: freed early")   \
	X(ORDER, "holds are dropped that an intent still needs")               \
	X(OPEN, "monitors are opened ahead of what an intent has to finish")   \
	X(FINISH, "an intent is left as it is")                                \
	X(UNDER_WAY, "an intent is finished that was over, or not begun")      \
	X(PLACED, "a value that was placed is taken for one that was not")     \
	X(RPLACED, "as PLACED, in a deque: lost")                              \
	X(DPLACED, "as PLACED, in a dict: an item without a key")              \
	X(INSERTED, "an item that is half in a dict stays so")                 \
	X(DELETED, "an item that is half out of a dict stays so")              \
	X(PAIR, "a pair of an update comes in a second time")                  \
	X(FIRST, "an item lies before the first: nobody finds it")             \
	X(NUMBER, "two items have one number: a run stands still")             \
	X(BEYOND, "a value is left behind a list's end")                       \
	X(OUTSIDE, "a value is left outside a deque: unlinked twice")          \
	X(SHIFT, "a shift goes on where it was not")                           \
	X(STAGE, "a stage that was placed is unlinked")                        \
	X(BODY, "a body's values go with it")                                  \
	X(INTENT, "a slot changes before the intent says so")                  \
	X(OWNED, "a value that a slot owns is unlinked, or the reverse")       \
	X(ODD, "a reader believes what is half written")                       \
	X(REVALIDATE, "a reader believes what has gone")                       \
	X(REREAD, "as REVALIDATE, where more is read than one value")          \
	X(EVEN, "readers wait for a writer that is dead")                      \
	X(ANNOUNCE, "a monitor is entered that the entry does not name")       \
	X(RETRACT, "the entry forgets a monitor that is not open yet")         \
	X(BUSY, "a span is claimed, and nobody knows after a death")           \
	X(RUN_END, "a run is given back from its beginning")                   \
	X(GENERATION, "a thread is taken for another of the same entry")       \
	X(GATE, "a writer passes a gate that is shut")                         \
	X(INSIDE, "the world is taken to stand still before it does")          \
	X(BARRIER, "who is inside is not seen")                                \
	X(ABANDONED, "all wait at the gate of a dead one")                     \
	X(HELD, "what is held is collected")                                   \
	X(DEFER, "a hold is dropped while the collector looks at holds")       \
	X(LATE, "a hold is dropped at a shut gate: never freed")               \
	X(OPENED, "a hold is dropped as the gate opens: never freed")          \
	X(BREAKER, "what is to be emptied dies and is used again meanwhile")   \
	X(CLAIM, "two recover one member at once")                             \
	X(MONITOR, "two write to one container at once")                       \
	X(QUICK, "a quick change is made in another's monitor")                \
	X(INNER, "a quick change forgets the monitors that it is inside of")   \
	X(PLAIN, "a quick change goes over what is owned: never freed")        \
	X(FILL, "a deque's end moves before its value is there")               \
	X(AGAIN, "what came in by a deque's end comes in again")               \
	X(TURN, "a rotation unlinks what it moved")                            \
	X(RSHIFT, "the middle of a deque moves on from where it was not")      \
	X(MOVED, "an item moves from where it is no more: lost")               \
	X(MARKED, "a dict has a key that it does not say may be equal")        \
	X(WINDOW, "bytes count before they are there")                         \
	X(WHOLE, "bytes stay half written")                                    \
	X(META, "a buffer has its bytes before what they mean")                \
	X(PLACE, "bytes go to memory that was replaced")

enum posh__rule {
	POSH__RULE_NONE,
#define X(name, text) POSH__RULE_##name,
	POSH__RULES(X)
#undef X
};

#ifdef POSH_CHECK
extern enum posh__rule posh__broken;
#define POSH_RULE(name) (posh__broken != POSH__RULE_##name)
#else
#define POSH_RULE(name) true
#endif

#endif

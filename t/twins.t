#!/bin/sh
# SPDX-License-Identifier: MIT
# Each rule of libposh/rule.h is left out once: a test has to notice.  Here it
# is one program of one test a rule; with POSH_SOAK all programs of explore.t
# and pairs.t, and the table says which was the first.  Only a test that says
# "not ok", or dies of a signal, has noticed: not one that is not there, does
# not begin, or does not end.
n=0 failed=0
unset POSH_TWIN
unset POSH_BRIEF # what is not tried is not noticed
log=$POSH_TMP/twins-log
trap 'rm -f "$log"' EXIT

report() { # passed? sentence
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
	fi
}

if "$builddir/t/explore.t" "none of them" | grep -q SKIP; then
	echo "1..0 # SKIP explore.t does not run here"
	exit 0
fi

# Which test and program should be the one?
killer() { # rule
	case $1 in
	DYING | SUSPECT | ORDER | INTENT | OWNED | EVEN)
		echo "explore a hold of what is unlinked, with a death" ;;
	READ_FENCE | REREAD) echo "explore all of a list is held" ;;
	RAW_FIRST) echo "explore blocks freed by another" ;;
	COUNT_LAST | TELL_LAST) echo "explore a block is freed by another" ;;
	SWEEP_FENCE) echo "explore blocks freed by another" ;;
	TOLD_FENCE) echo "explore blocks of two spans" ;;
	RETRACT) echo "explore two write to a list" ;;
	BEYOND) echo "crash delete a range" ;;
	OUTSIDE) echo "crash deque: delete" ;;
	RPLACED) echo "crash deque: insert" ;;
	DPLACED | INSERTED | NUMBER) echo "crash dict: a new key" ;;
	DELETED) echo "crash dict: pop" ;;
	PAIR) echo "crash dict: update" ;;
	FIRST) echo "explore a dict is read while" ;;
	RESET) echo "explore a link of what is dropped" ;;
	OWN_TABLE) echo "explore a thread holds what" ;;
	WHO) echo "explore two threads check" ;;
	REACQUIRE) echo "explore a thread drops what" ;;
	ENTERING) echo "explore a fork in the middle" ;;
	SETTLED | SEQ) echo "explore a list dies, not" ;;
	NOTED) echo "explore two lists with" ;;
	UNDECIDED) echo "explore three lists" ;;
	ENTRY) echo "explore two drop" ;;
	ALLOCATING) echo "explore an object is made" ;;
	KIND) echo "explore an instance is made" ;;
	RAW) echo "explore bytes are made" ;;
	JOURNAL) echo "explore two write to a list" ;;
	GROW) echo "explore a table of holds" ;;
	HANDED) echo "crash fork" ;;
	EPOCH | EPOCH_ORDER) echo "explore a fork, a drop" ;;
	LIMBO) echo "explore a late look" ;;
	OPEN) echo "explore one is recovered" ;;
	GENERATION) echo "explore a name is used" ;;
	GATE | INSIDE | BARRIER) echo "explore the gate is shut while" ;;
	ABANDONED) echo "explore two shut the gate" ;;
	HELD) echo "explore a circle is read" ;;
	DEFER) echo "explore a reader goes on" ;;
	LATE | OPENED) echo "explore a hold is dropped at a shut gate" ;;
	BREAKER) echo "explore circles through" ;;
	CLAIM) echo "explore two recover one at once" ;;
	CHAIN) echo "pairs destroy" ;;
	BORN) echo "pairs in its place" ;;
	FINISH | SHIFT | PLACED) echo "pairs insert" ;;
	STAGE) echo "pairs extend" ;;
	BODY) echo "pairs splice" ;;
	ANNOUNCE) echo "pairs a transaction" ;;
	BUSY) echo "pairs spans" ;;
	RUN_END) echo "pairs a large run" ;;
	UNDER_WAY) echo "crash insert in" ;;
	QUICK) echo "explore two push plain" ;;
	INNER) echo "crash in two monitors" ;;
	PLAIN | AGAIN) echo "explore a deque is pushed to and popped" ;;
	FILL) echo "explore a bounded deque" ;;
	TURN) echo "explore a deque is read and rotated" ;;
	RSHIFT) echo "explore the middle of" ;;
	MOVED) echo "pairs dict: move" ;;
	MARKED) echo "pairs dict: an opaque" ;;
	WINDOW) echo "explore bytes are added" ;;
	WHOLE) echo "explore bytes are overwritten" ;;
	META) echo "explore a buffer gets its blob" ;;
	PLACE) echo "explore an item is written and read" ;;
	*) echo "explore a hold of" ;;
	esac
}

# Have a test run, without the rule if one is named; its status.
run() { # rule test program...
	env ${1:+"POSH_TWIN=$1"} timeout 600 "$builddir/t/$2.t" ${3:+"$3"} \
		>"$log" 2>&1
}

# Who noticed, by a test that failed or a signal that ended it: its name and
# that of the program.  Nothing: nobody, or it ended otherwise, which is said.
noticed() { # rule test program...
	run "$@"
	status=$?
	by=$(sed -n 's/^not ok [0-9]* - \(.*\): [0-9]* [ed][xe].*/\1/p' "$log" |
		head -n 1)
	[ -n "$by" ] || [ $status -le 128 ] ||
		by="a crash, signal $((status - 128))"
	[ -n "$by" ] || echo "# $2.t without $1: status $status" >&2
	what=$(sed -n '/^# .*\(schedule:\|: death at\)/{x;s/^# //p;q};h' "$log")
	echo "${by:+$2.t: $by${what:+: $what}}"
}

# With all rules each of these programs passes, so that what fails without one
# fails for want of it.  Once each, in brief, since the tests themselves do it
# at length: those that passed are in $sound.
sound=
passes() { # test program
	case $sound in *"<$1 $2>"*) return 0 ;; esac
	POSH_BRIEF=1 run "" "$1" "$2" && grep -q '^ok ' "$log" &&
		sound="$sound<$1 $2>"
}

table=
for rule in $(sed -n 's/^	X(\([A-Z_]*\), .*/\1/p' \
	"$srcdir/libposh/rule.h"); do
	if [ "${POSH_SOAK:-0}" = 0 ]; then
		set -- $(killer "$rule")
		test=$1
		shift
		if passes "$test" "$*"; then
			by=$(noticed "$rule" "$test" "$*")
		else
			echo "# $test.t \"$*\" does not pass with all rules"
			by=
		fi
	else
		by=$(noticed "$rule" explore)
		[ -n "$by" ] || by=$(noticed "$rule" pairs)
		[ -n "$by" ] || by=$(noticed "$rule" crash)
	fi
	table="$table
# $(printf '%-12s %s' "$rule" "${by:-nobody}")"
	[ -n "$by" ]
	report $? "$rule is missed when it is left out"
done
echo "# the rule     who missed it$table"
[ $n -gt 80 ]
report $? "there are rules"
echo "1..$n"
exit $failed

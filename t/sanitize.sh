#!/bin/sh
# SPDX-License-Identifier: MIT
# Run the C tests under the compiler's sanitizers, each in a build of its own
# that is gone afterwards:
#
#   t/sanitize.sh [address|thread [TEST...]]     both and all if none is named
#
# address  AddressSanitizer and UndefinedBehaviorSanitizer, all C tests but
#          the searches and the soak
# thread   ThreadSanitizer, the tests whose members are threads
#
# What takes long is done in part, unless POSH_BRIEF is set to nothing.  A
# report fails the run, also one by a child that a test expects to die.  The
# totals are Automake's.
cd "$(dirname "$0")/.." || exit 99
top=$PWD
unset MAKEFLAGS MFLAGS MAKELEVEL
cc=${CC:-gcc}
work=$(mktemp -d) || exit 99
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

say() {
	printf 'sanitize: %s\n' "$*"
}

# Can programs be built with these flags, and run?  A kernel may give
# addresses that ThreadSanitizer has no room for.
works() { # flag
	echo 'int main(void) { return 0; }' >"$work/a.c"
	$cc "$1" -o "$work/a.out" "$work/a.c" >"$work/log" 2>&1 &&
		"$work/a.out" >>"$work/log" 2>&1
}

. "$top/t/source.sh"

# Build and run; what a sanitizer says goes to files.
run() { # what flag cppflags tests
	what=$1 flag=$2 cpp=$3 tests=$4
	works "$flag" || {
		say "$what is left out: $cc $flag does not work here"
		sed 's/^/# /' "$work/log"
		printf '# SKIP:  1\n'
		return 0
	}
	mkdir "$work/$what" "$work/$what-reports"
	cd "$work/$what" || exit 99
	"$src/configure" --silent --disable-dependency-tracking \
		--disable-python --disable-shared --enable-static CC="$cc" \
		CPPFLAGS="$cpp" CFLAGS="-w -g -O1 -fno-omit-frame-pointer \
		-fno-sanitize-recover=all $flag" >log 2>&1 || {
		cat log
		return 1
	}
	to=log_path=$work/$what-reports/r
	ASAN_OPTIONS=$to:detect_stack_use_after_return=1:$ASAN_OPTIONS \
		UBSAN_OPTIONS=$to:print_stacktrace=1:$UBSAN_OPTIONS \
		TSAN_OPTIONS=$to:second_deadlock_stack=1:$TSAN_OPTIONS \
		POSH_BRIEF=${POSH_BRIEF-1} POSH_SLOW=${POSH_SLOW:-10} \
		make -s -j"$(nproc 2>/dev/null || echo 2)" -k check-TESTS \
		VERBOSE=1 TEST_LIMIT=600 ${tests:+TESTS="$tests"}
	status=$?
	for report in "$work/$what-reports"/*; do
		[ -f "$report" ] || continue
		status=1
		say "$what reports:"
		head -n 60 "$report"
	done
	cd "$top" || exit 99
	return $status
}

# t/NAME.t of what is named, of the defaults if nothing is.
files() { # default-names name...
	defaults=$1
	shift
	# shellcheck disable=SC2048
	for name in ${*:-$defaults}; do
		printf 't/%s.t ' "$(basename "$name" .t)"
	done
}

which=${1:-both}
[ $# = 0 ] || shift
# All but the searches, which skip or look at models alone, and the soak, which
# has to be quick.
programs=$(sed -n '/^C_TESTS = /,/[^\\]$/s,^	%D%/\(.*\)\.t.*,\1,p' t/local.mk |
	grep -vxE 'explore|pairs|soak|weak')
failed=0
case $which in
address | both)
	run address -fsanitize=address,undefined '' \
		"$(files "$programs" "$@")" || failed=1
	;;
esac
case $which in
thread | both)
	run thread -fsanitize=thread -DAO_PREFER_BUILTIN_ATOMICS \
		"$(files 'beside refs lock member' "$@")" || failed=1
	;;
esac
case $which in
address | thread | both) exit $failed ;;
esac
say "address or thread, not $which"
exit 99

#!/bin/sh
# SPDX-License-Identifier: MIT
# Build libposh and its tests for ARM, whose memory is weaker ordered than
# x86's, and run some of them under qemu-user.  By TAP; skips where the cross
# compiler or qemu is missing.
#
#   t/aarch64.sh [TEST...]     value and box if none is named
#
# Tests in which one living process asks about another fail under qemu-user:
# it makes up what /proc says of a process to itself, its start time too, so
# that each takes the other for dead.
#
# Needs Debian's gcc-aarch64-linux-gnu and qemu-user.  libatomic_ops and
# xxHash are headers here, which are the same for every machine.
cd "$(dirname "$0")/.." || exit 99
cc=${AARCH64_CC:-aarch64-linux-gnu-gcc}
qemu=${AARCH64_QEMU:-qemu-aarch64}
root=${AARCH64_ROOT:-/usr/aarch64-linux-gnu}
for tool in "$cc" "$qemu"; do
	command -v "$tool" >/dev/null || {
		echo "1..0 # SKIP no $tool"
		exit 0
	}
done
for header in atomic_ops.h xxhash.h; do
	[ -f /usr/include/$header ] || {
		echo "1..0 # SKIP no $header"
		exit 0
	}
done
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# The headers alone: the rest of /usr/include is this machine's.
mkdir "$work/include" "$work/include/posh"
ln -s /usr/include/atomic_ops.h /usr/include/atomic_ops /usr/include/xxhash.h \
	"$work/include"
[ ! -f /usr/include/xxh3.h ] || ln -s /usr/include/xxh3.h "$work/include"
echo '#define _GNU_SOURCE 1' >"$work/include/config.h"
sed 's/@PACKAGE_VERSION@/0/' libposh/posh/version.h.in \
	>"$work/include/posh/version.h"
flags="-std=gnu11 -O2 -g -Wall -DPOSH_CHECK"

for f in libposh/*.c; do
	# shellcheck disable=SC2086
	"$cc" $flags -I"$work/include" -Ilibposh -c -o \
		"$work/$(basename "$f" .c).o" "$f" || exit 99
done
"${AARCH64_AR:-aarch64-linux-gnu-ar}" cr "$work/lib.a" "$work"/*.o

[ $# -gt 0 ] || set -- value box
n=0 failed=0
common=$(ls t/actor.c t/clock.c t/dying.c t/graph.c t/tap.c)
for test in "$@"; do
	n=$((n + 1))
	extra=
	case $test in fuzz) extra='fuzz/image.c fuzz/visit.c' ;; esac
	# shellcheck disable=SC2086
	if "$cc" $flags -I"$work/include" -Ilibposh -It -o "$work/$test" \
		"t/$test.c" $extra $common "$work/lib.a" -pthread \
		>"$work/log" 2>&1 &&
		(cd "$work" && timeout "${AARCH64_LIMIT:-600}" \
			"$qemu" -L "$root" "./$test") >"$work/log" 2>&1 &&
		grep -q '^1\.\.[1-9]' "$work/log"; then
		echo "ok $n - $test works on aarch64"
	else
		failed=1
		echo "not ok $n - $test works on aarch64"
		grep -v '^ok' "$work/log" | tail -n 20 | sed 's/^/# /'
	fi
done
echo "1..$n"
exit $failed

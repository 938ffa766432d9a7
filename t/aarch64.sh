#!/bin/sh
# SPDX-License-Identifier: MIT
# Build libposh and its tests for ARM, whose memory is weaker ordered than
# x86's, and run them under qemu-user, in a build that is gone afterwards:
#
#   t/aarch64.sh [TEST...]     if none is named, those that are not too slow there
#
# Needs Debian's gcc-aarch64-linux-gnu and qemu-user.  libatomic_ops and
# xxHash are headers here, which are the same for every machine.  What takes
# long is done in part, unless POSH_BRIEF is set to nothing.  The totals are
# Automake's.
cd "$(dirname "$0")/.." || exit 99
top=$PWD
unset MAKEFLAGS MFLAGS MAKELEVEL
cc=${AARCH64_CC:-aarch64-linux-gnu-gcc}
root=${AARCH64_ROOT:-/usr/aarch64-linux-gnu}
qemu=$(command -v "${AARCH64_QEMU:-qemu-aarch64}")

skip() {
	printf 'aarch64: left out: there is no %s\n# SKIP:  1\n' "$1"
	exit 0
}

[ -n "$qemu" ] || skip "${AARCH64_QEMU:-qemu-aarch64}"
command -v "$cc" >/dev/null || skip "$cc"
headers=$(pkg-config --variable=includedir atomic_ops 2>/dev/null)
headers=${headers:-/usr/include}
for header in atomic_ops.h xxhash.h; do
	[ -f "$headers/$header" ] || skip $header
done
work=$(mktemp -d) || exit 99
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

. "$top/t/source.sh"

# The headers alone: the rest of that folder is this machine's.
mkdir "$work/include" "$work/build"
for header in atomic_ops.h atomic_ops xxhash.h xxh3.h; do
	[ ! -e "$headers/$header" ] ||
		ln -s "$headers/$header" "$work/include"
done

# t/NAME.t of what is named, or of what does not search and does not storm.
programs=$(sed -n '/^C_TESTS = /,/[^\\]$/s,^	%D%/\(.*\)\.t.*,\1,p' t/local.mk |
	grep -vxE 'crash|explore|files|heap|journal|pairs|soak|storm|weak')
tests=
# shellcheck disable=SC2048
for name in ${*:-$programs}; do
	tests="$tests t/$(basename "$name" .t).t"
done

cd "$work/build" || exit 99
"$src/configure" --silent --host=aarch64-linux-gnu --disable-python \
	--disable-dependency-tracking --disable-shared --enable-static \
	CC="$cc" CFLAGS='-g -O1' \
	ATOMIC_OPS_CFLAGS="-I$work/include" ATOMIC_OPS_LIBS="-L$root/lib" \
	XXHASH_CFLAGS="-I$work/include" XXHASH_LIBS="-L$root/lib" >log 2>&1 || {
	cat log
	exit 1
}
QEMU_LD_PREFIX=$root POSH_EMULATOR=$qemu \
	POSH_BRIEF=${POSH_BRIEF-1} POSH_SLOW=${POSH_SLOW:-10} \
	make -s -j"$(nproc 2>/dev/null || echo 2)" -k check-TESTS \
	VERBOSE=1 TESTS="$tests" T_LOG_COMPILER="timeout -k 5 600 $qemu"

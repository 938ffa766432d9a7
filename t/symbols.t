#!/bin/sh
# SPDX-License-Identifier: MIT
# The shared library exports what libposh.map names, which is what posh.h
# declares; it takes no emulation from libatomic_ops, which would lock in
# private; and it keeps its steps to itself.
lib=$builddir/libposh/.libs/libposh.so
nm=${NM:-nm}
got=$POSH_TMP/symbols-got map=$POSH_TMP/symbols-map head=$POSH_TMP/symbols-head
trap 'rm -f "$got" "$map" "$head"' EXIT
failed=0 n=0

report() { # passed? sentence
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
	fi
}

# shellcheck disable=SC2086
$nm -D --defined-only "$lib" |
	awk '$2 ~ /[BDRTVW]/ { sub(/@.*/, "", $3); print $3 }' | sort >"$got"
sed -n 's/^	\(posh_[a-z_0-9]*\);$/\1/p' "$POSH_MAP" | sort >"$map"
tr '\n' ' ' <"$srcdir/libposh/posh.h" | sed 's/POSH_API /\n&/g' |
	sed -n 's/^POSH_API [^(]*[ *]\(posh_[a-z_0-9]*\)(.*/\1/p' |
	sort >"$head"

cmp -s "$got" "$map"
report $? "the library exports what libposh.map names"
diff "$map" "$got" | sed 's/^/# /'
cmp -s "$head" "$map"
report $? "libposh.map names what posh.h declares"
diff "$map" "$head" | sed 's/^/# /'
[ "$(wc -l <"$got")" -gt 50 ]
report $? "that is not nothing"
! $nm "$lib" | grep -E '_emulation$|AO_pt_lock|AO_locks'
report $? "no atomic operation is emulated"
! $nm "$lib" | grep posh__step
report $? "the installed library has no test hooks"
echo "1..$n"
exit $failed

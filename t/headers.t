#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header compiles alone; posh.h is C++ too, asks for nothing but the
# C library's smallest headers, and means the same without our config.h.
failed=0 n=0
cppflags="-I$builddir -I$builddir/libposh -I$srcdir/libposh"
log=$POSH_TMP/headers-log
trap 'rm -f "$log"' EXIT

report() { # passed? sentence
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
		sed 's/^/# /' "$log"
	fi
}

for f in "$srcdir"/libposh/*.h; do
	name=${f##*/}
	printf '#include "config.h"\n#include "%s"\nint x;\n' "$name" |
		$CC $cppflags -D_GNU_SOURCE -fsyntax-only -Wall -Wextra \
			-Werror -x c - >"$log" 2>&1
	report $? "$name compiles alone"
	guard=POSH_$(echo "${name%.h}" | tr a-z A-Z)_H
	[ "$name" != posh.h ] || guard=POSH_H
	grep -qx "#define $guard" "$f"
	report $? "$name is guarded by $guard"
done

use='#include <posh.h>
int main(void)
{
	struct posh_value v = posh_utf8("x", 1), w = posh_int(1);
	return v.size != 1 || w.i != 1 || posh_none().type != POSH_NONE;
}'
for std in c11 c17; do
	echo "$use" | $CC $cppflags -std=$std -pedantic -Wall -Wextra -Werror \
		-fsyntax-only -x c - >"$log" 2>&1
	report $? "posh.h is clean as $std"
done
for std in c++11 c++17; do
	if echo 'int x;' | ${CXX:-c++} -fsyntax-only -x c++ - 2>/dev/null; then
		echo "$use" | $CXX $cppflags -std=$std -Wall -Wextra -Werror \
			-fsyntax-only -x c++ - >"$log" 2>&1
		report $? "posh.h is clean as $std"
	else
		n=$((n + 1))
		echo "ok $n - # SKIP no C++ compiler"
	fi
done
grep '^#include' "$srcdir/libposh/posh.h" |
	grep -vE '<(stddef|stdint|stdbool|posh/version)\.h>' >"$log"
[ ! -s "$log" ]
report $? "posh.h includes nothing but stddef.h, stdint.h and stdbool.h"
echo "1..$n"
exit $failed

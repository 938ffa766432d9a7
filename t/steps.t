#!/bin/sh
# SPDX-License-Identifier: MIT
# Every POSH_STEP has its row in the STEPS table of its file's top comment (of
# X.c for what X.h has inline), every row its POSH_STEP, and a step is named
# after its file.  The tables of all files together are doc/recovery.md's.
code=$POSH_TMP/steps-code rows=$POSH_TMP/steps-rows n=0 failed=0
trap 'rm -f "$code" "$rows"' EXIT

report() { # passed? sentence
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
	fi
}

for f in "$srcdir"/libposh/*.c "$srcdir"/libposh/*.h; do
	name=${f##*/}
	[ "$name" != atomic.h ] || continue
	files=$f
	case $f in
	*.h) [ ! -f "${f%.h}.c" ] || continue ;;
	*.c) [ ! -f "${f%.c}.h" ] || files="$f ${f%.c}.h" ;;
	esac
	# shellcheck disable=SC2086
	cat $files |
		sed -n 's/.*POSH_STEP("\([^"]*\)").*/\1/p' | sort -u >"$code"
	sed -n '2,/\*\//p' "$f" |
		sed -n 's/^ \* *\([a-z]*\.[0-9][0-9]*\)  *[^ ].*/\1/p' |
		sort >"$rows"
	[ -s "$code" ] || [ -s "$rows" ] || continue
	cmp -s "$code" "$rows"
	report $? "$name: the steps are those of its table"
	diff "$rows" "$code" | sed 's/^/# /'
	! grep -qv "^${name%.*}\.[0-9][0-9]*\$" "$code"
	report $? "$name: its steps are named after it"
done
LC_ALL=C awk -f "$srcdir/doc/steps.awk" "$srcdir"/libposh/*.[ch] >"$rows"
sed -n '/^| step |/,/^$/p' "$srcdir/doc/recovery.md" >"$code"
cmp -s "$code" "$rows"
report $? "doc/recovery.md has the same tables"
diff "$rows" "$code" | sed 's/^/# /'
[ $n -gt 0 ]
report $? "there are steps"
echo "1..$n"
exit $failed

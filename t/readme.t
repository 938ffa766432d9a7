#!/bin/sh
# SPDX-License-Identifier: MIT
# Every code block of the README runs, in order: its Python as programs of
# their own, its C against the library, its commands as far as make knows
# their targets.  What is not code is marked as text.
failed=0 n=0
here=$POSH_TMP/readme.tmp
heap=counters-$$
rm -rf "$here"
mkdir -p "$here" || exit 99
trap 'rm -rf "$here" /dev/shm/$heap' EXIT

report() { # passed? sentence
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
		sed 's/^/# /' "$here/out"
	fi
}

# 01.python, 02.c ... and 01.line, the line where it begins.
awk -v dir="$here" '
	/^```/ && file { close(file); file = ""; next }
	/^```/ {
		n = sprintf("%02d", ++count)
		file = dir "/" n "." (length($0) > 3 ? substr($0, 4) : "none")
		print NR > (dir "/" n ".line")
		printf "" > file
		next
	}
	file { print > file }
' "$srcdir/README.md"

for f in "$here"/[0-9]*; do
	what="the block of line $(cat "${f%.*}.line")"
	# A name of our own, since others may test at the same time.
	sed -i "s/\"counters\"/\"$heap\"/" "$f"
	case $f in
	*.line | *.text) ;;
	*.python)
		if [ -z "$PYTHON" ]; then
			n=$((n + 1))
			echo "ok $n - $what # SKIP no Python"
			continue
		fi
		$PYTHON "$f" >"$here/out" 2>&1
		report $? "$what is Python that runs"
		;;
	*.c)
		# Without Python nobody has made the heap.
		[ -n "$PYTHON" ] || sed -i "s/NULL, &heap/\&opts, \&heap/
			s/^\tposh_heap \*heap;/\tstruct posh_options opts = {sizeof(opts), 0, 0, POSH_CREATE};\n&/" "$f"
		$CC -I"$builddir/libposh" -I"$srcdir/libposh" -Wall -Werror \
			"$f" -L"$builddir/libposh/.libs" -lposh -o "$here/c" \
			>"$here/out" 2>&1 &&
			LD_LIBRARY_PATH=$builddir/libposh/.libs "$here/c" \
				>>"$here/out" 2>&1
		report $? "$what is C that runs"
		;;
	*.sh)
		while read -r command target _; do
			[ "$command" = ./bootstrap ] && [ -x "$srcdir/bootstrap" ] &&
				env -u MAKEFLAGS -u MFLAGS $MAKE -n -C "$builddir" \
					"$target" >"$here/out" 2>&1
			report $? "$command $target"
		done <"$f"
		;;
	*)
		false
		report $? "$what says what language it is"
		;;
	esac
done
[ $n -ge 7 ]
report $? "the README shows something"
echo "1..$n"
exit $failed

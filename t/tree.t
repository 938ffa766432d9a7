#!/bin/sh
# SPDX-License-Identifier: MIT
# Every source file is named in a local.mk, so that it is built, run and
# distributed, and every file that one names is there.  Every file says under
# which licence it is; nothing is longer than a line of the house.
cd "$srcdir" || exit 99
failed=0 n=0

report() { # what is wrong, sentence
	n=$((n + 1))
	if [ -z "$1" ]; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2"
		printf '%s\n' "$1" | sed 's/^/# /'
	fi
}

# The files that a local.mk has to name.
sources() {
	ls libposh/*.[ch] libposh/*.map python/_posh/*.[ch] \
		python/posh/*.py* python/posh/py.typed t/*.[ch] t/*.py t/*.t \
		examples/*.py examples/*.c bench/*.* fuzz/*.[ch] fuzz/*.txt \
		doc/*.md 2>/dev/null |
		grep -v -e '\.mk$' -e '\.pyc$' -e '\.o$'
	# Programs among the tests are built: their source has no name there.
	grep -l '^main(' t/*.c | sed 's/c$/t/'
}

named() { # file
	case $1 in t/*.c) grep -q '^main(' "$1" && return 0 ;; esac
	grep -q "%D%/${1#*/}\( \|\$\)" "${1%%/*}/local.mk"
}

unnamed=$(sources | sort -u | while read -r f; do
	named "$f" || echo "$f"
done)
report "$unnamed" "every file is named in a local.mk"

absent=$(for mk in */local.mk; do
	grep -v '^#' $mk | grep -o '%D%/[a-zA-Z0-9_/.-]*\.[cht][a-z]*\( \|$\)' |
		grep -E '\.(c|h|t) ?$' | sed "s|%D%|${mk%/*}|" |
		while read -r f; do
			[ -e "$f" ] || [ -e "${f%.t}.c" ] || [ -e "$f.in" ] || echo "$f"
		done
done)
report "$absent" "every file that is named is there"

all=$(ls bootstrap configure.ac Makefile.am .clang-format LICENSE NEWS \
	./*.md */local.mk libposh/*.[ch] libposh/*.map libposh/*.in \
	libposh/posh/*.in python/_posh/*.[ch] python/posh/*.py* t/*.[ch] \
	t/*.py examples/*.py examples/*.c bench/*.* fuzz/*.[ch] fuzz/*.txt doc/*.md tools/* \
	2>/dev/null | grep -v -e '\.pyc$' -e '\.o$')
report "$(for f in $all; do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f"
done)" "every file says under which licence it is"

report "$(for f in libposh/*.[ch] python/_posh/*.[ch] t/*.[ch] fuzz/*.[ch]; do
	expand "$f" | awk -v f="$f" 'length > 80 { print f ":" NR }'
done)" "no line of C is longer than 80 columns"
echo "1..$n"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: MIT
# Build the extension for other CPythons than the one that the tree is for,
# and run its tests in their brief form:
#
#     t/pythons.sh --list             print those of this machine
#     t/pythons.sh PYTHON...          build and test for these, or for all
#
# Everything is built elsewhere.  The tests of the C library are not repeated.
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

# Print the version of a CPython, if it can be built for.
identify() {
	"$1" - <<-'END' 2>/dev/null
		import os, sys, sysconfig
		assert sys.version_info >= (3, 11)
		assert sys.implementation.name == "cpython"
		os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))
		print("%d.%d" % sys.version_info[:2])
	END
}

# Print the CPythons that have headers, one of each version.
list() {
	for python in /usr/bin/python3 /usr/bin/python3.[0-9] \
		/usr/bin/python3.[0-9][0-9] /usr/local/bin/python3 \
		"${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
		[ -x "$python" ] || continue
		version=$(identify "$python") || continue
		case " $seen " in *" $version "*) continue ;; esac
		seen="$seen $version"
		echo "$python"
	done
}
seen=''

if [ "${1:-}" = --list ]; then
	list
	exit 0
fi
[ $# -gt 0 ] || eval "set -- $(list | tr '\n' ' ')"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
. "$top/t/source.sh"
tests=$(cd "$src" && echo t/py*.py)
status=0
for python in "$@"; do
	echo "$python: $("$python" -c 'import sys; print(sys.version)')"
	rm -rf "$work/build"
	mkdir "$work/build" && cd "$work/build"
	"$src/configure" --silent --disable-static --enable-python \
		PYTHON="$python"
	make -s -j"$jobs"
	# Without the C tests, which are not built either.
	POSH_BRIEF=1 make -s -j"$jobs" check-TESTS TESTS="$tests" \
		check_PROGRAMS= check_LIBRARIES= || {
		status=1
		cat test-suite.log
	}
done
exit $status

# SPDX-License-Identifier: MIT
# For scripts that build elsewhere: set src to a source tree that is not
# configured, this one ($top) or a copy below $work.  A tree that is
# configured in its place cannot be built elsewhere as well.
src=$top
if [ -f "$top/config.status" ]; then
	src=$work/src
	make -s -C "$top" distdir distdir="$src" >"$work/log" 2>&1 || {
		cat "$work/log"
		exit 99
	}
elif [ ! -f "$top/configure" ]; then
	echo "$0: there is no configure: run ./bootstrap first" >&2
	exit 99
fi

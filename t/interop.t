#!/bin/sh
# SPDX-License-Identifier: MIT
# Install, compile the C example by pkg-config as its user would, and let it
# and its Python half use one heap at the same time.
failed=0 n=0
here=$POSH_TMP/interop.tmp
log=$here/log
rm -rf "$here"
mkdir -p "$here" || exit 99
trap 'rm -rf "$here"' EXIT

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

# With POSH_INSTALLED=1 (make installcheck) it is there already.
if [ -z "${POSH_INSTALLED:-}" ]; then
	DESTDIR=$here/root
	(cd "$builddir" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		$MAKE install DESTDIR="$DESTDIR") >"$log" 2>&1
	report $? "make install"
	PKG_CONFIG_SYSROOT_DIR=$DESTDIR
	PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1
	PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
	export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_ALLOW_SYSTEM_CFLAGS \
		PKG_CONFIG_ALLOW_SYSTEM_LIBS
fi
PKG_CONFIG_PATH=${DESTDIR:-}$pkgconfigdir
LD_LIBRARY_PATH=${DESTDIR:-}$libdir
PYTHONPATH=${DESTDIR:-}$pyexecdir
export PKG_CONFIG_PATH LD_LIBRARY_PATH PYTHONPATH
flags=$($PKG_CONFIG --cflags --libs posh 2>"$log")
report $? "pkg-config knows posh"
# shellcheck disable=SC2086
$CC "$srcdir/examples/interop.c" $flags -o "$here/interop" >"$log" 2>&1
report $? "cc interop.c \$(pkg-config --cflags --libs posh)"

unset POSH_EXT_DIR
rounds=2000
if [ -n "$pyexecdir" ] && [ -d "$PYTHONPATH/posh" ]; then
	"$here/interop" "$here/heap" $rounds >"$here/c.out" 2>"$log" &
	child=$!
	(cd / && $PYTHON "$srcdir/examples/interop.py" "$here/heap" $rounds) \
		>"$here/python.out" 2>>"$log"
	report $? "interop.py finds what C left"
	wait $child
	report $? "interop.c finds what Python left"
	grep -q "^C sees $((2 * rounds)) turns" "$here/c.out"
	report $? "C and Python counted together, and lost nothing"
else
	for what in 'interop.py' 'interop.c' 'C and Python'; do
		n=$((n + 1))
		echo "ok $n - $what # SKIP no Python"
	done
fi
echo "1..$n"
exit $failed

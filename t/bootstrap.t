#!/bin/sh
# SPDX-License-Identifier: MIT
# On a machine where nothing is installed, bootstrap installs what it needs if
# it may, and otherwise says what that is.
failed=0 n=0
here=$POSH_TMP/bootstrap.tmp
rm -rf "$here"
mkdir -p "$here/bin" || exit 99
trap 'rm -rf "$here"' EXIT

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

for tool in sh cat dirname env find head mktemp rm sed tail tr uname; do
	ln -s "$(command -v $tool)" "$here/bin/$tool"
done
# apt-get writes down what it is told, and has nothing; id says who we are.
cat >"$here/bin/apt-get" <<EOF
#!/bin/sh
echo "\$DEBIAN_FRONTEND: \$*" >>"$here/apt"
exit 100
EOF
printf '#!/bin/sh\necho $AM_I\n' >"$here/bin/id"
chmod +x "$here/bin/apt-get" "$here/bin/id"

run() { # uid words...
	AM_I=$1
	shift
	rm -f "$here/apt"
	(cd "$here" && env -i PATH="$here/bin" AM_I="$AM_I" "$@" \
		sh "$srcdir/bootstrap" --disable-python) >"$here/out" 2>&1
}

run 1000
[ $? = 1 ]
report $? "an ordinary user is told that something is missing"
for package in gcc libc6-dev make autoconf automake libtool pkg-config \
	libatomic-ops-dev libxxhash-dev; do
	grep -q "apt-get install.* $package\( \|\$\)" "$here/out"
	report $? "... $package"
done
[ ! -f "$here/apt" ]
report $? "nothing was tried"

run 0
[ $? = 1 ]
report $? "root is told that apt-get failed"
grep -q '^noninteractive: .*-y.* install .*gcc.*libxxhash-dev' "$here/apt"
report $? "apt-get was asked for the packages, and to ask nothing"
sed -n 2p "$here/apt" | grep -q ' update$'
report $? "apt-get update came only then"

run 0 CC=clang
grep -q ' install .*clang' "$here/apt" && ! grep -q gcc "$here/apt"
report $? "CC=clang asks for clang, not for gcc"
echo "1..$n"
exit $failed

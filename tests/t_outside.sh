#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example plugin, built the way a stranger does: outside of this tree, with cc
# and an installed MUSEs.
set -u
cd "${builddir:?}" || exit 99
count=0

# result STATUS TITLE: one line of TAP.
result() {
	count=$((count + 1))
	[ "$1" -eq 0 ] && echo "ok $count - $2" || echo "not ok $count - $2"
}

# shown FILE: as diagnostics.
shown() {
	sed 's/^/# /' "$1" | tail -n 20
}

if [ ! -f .libs/libmuses.so ]; then
	echo "1..0 # SKIP a static build loads no plugins"
	exit 0
fi
if [ ! -x "${MUSES:?}" ]; then
	echo "1..0 # SKIP there is no muses program in this build"
	exit 0
fi

umask 022
work=$(mktemp -d "${TMPDIR:-/tmp}/muses-example-XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
log=$work/log

env MAKEFLAGS= make install DESTDIR="$work/dest" >"$log" 2>&1 || shown "$log"
pc=$(find "$work/dest" -name muses.pc)
[ -n "$pc" ]
result $? "MUSEs can be installed in a folder of its own"

# value NAME: a variable of muses.pc, with those in it replaced, like pkg-config does.
value() {
	text=$(sed -n "s/^$1=//p" "$pc")
	while name=$(expr "$text" : '.*\${\([a-z_]*\)}'); [ -n "$name" ]; do
		text=$(printf '%s\n' "$text" | sed "s|\${$name}|$(sed -n "s/^$name=//p" "$pc")|")
	done
	printf '%s%s\n' "$work/dest" "$text"
}
libdir=$(value libdir)
plugins=$(value plugindir)
[ -f "$plugins/tcp.so" ] && ! ls "$plugins"/*.la >/dev/null 2>&1
result $? "plugins are installed where muses.pc says, without .la files"

sources=$(dirname "$(find "$work/dest" -path '*/example/example.c')")
cp -R "$sources" "$work/example" && cd "$work/example" || exit 99
env MAKEFLAGS= make MUSES_CFLAGS="-I$(value includedir) -Werror" \
	MUSES_LIBS="-L$libdir -lmuses -ljansson" >"$log" 2>&1 || shown "$log"
[ -f example.so ]
result $? "the example builds with cc and the installed headers alone"

LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
MUSES_PLUGIN_PATH=$plugins
export MUSES_PLUGIN_PATH
muses=$(find "$work/dest" -name muses -type f -perm -100 | head -n 1)

"$muses" plugins --plugin-path "$work/example" example >"$log" 2>&1
result $? "muses finds it"
grep -q '^example (transport): counts the packets' "$log" && grep -q '  log_s  ' "$log" ||
	shown "$log"
grep -q '  over .*required' "$log"
result $? "and tells its options"

(umask 077 && printf '{ "group": "%s" }\n' "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" \
	>"$work/psk.json")
cat >"$work/bob.json" <<'END'
{
  "name": "bob",
  "pipeline": {
    "keys":        { "plugin": "psk", "file": "psk.json" },
    "security":    [ { "plugin": "aes_gcm" } ],
    "reliability": { "plugin": "srm" },
    "overlay":     { "plugin": "cloak_static" },
    "transport":   [ { "plugin": "example", "log_s": 60,
                       "over": { "plugin": "tcp", "listen": ["127.0.0.1:0"] } } ]
  }
}
END
"$muses" check --plugin-path "$work/example" "$work/bob.json" >"$log" 2>&1
status=$?
[ $status -eq 0 ] || shown "$log"
result $status "a configuration with it is right"

sed 's/"log_s": 60/"log_s": -1/' "$work/bob.json" >"$work/eve.json"
"$muses" check --plugin-path "$work/example" "$work/eve.json" >"$log" 2>&1
grep -q 'pipeline.transport\[0\].log_s: want a whole number from 0 to 86400 (s), not -1' "$log"
status=$?
[ $status -eq 0 ] || shown "$log"
result $status "its table words the mistakes"

chmod g+w example.so
"$muses" plugins --plugin-path "$work/example" example >"$log" 2>&1
[ $? -ne 0 ] && grep -q "others can write .*example.so: chmod go-w" "$log"
status=$?
[ $status -eq 0 ] || shown "$log"
result $status "a copy that others can write is refused"

chmod g-w example.so
env MAKEFLAGS= make install PLUGIN_DIR="${plugins#"$work/dest"}" DESTDIR="$work/dest" \
	>"$log" 2>&1 || shown "$log"
"$muses" plugins example >"$log" 2>&1
result $? "it can be installed beside the others"

echo "1..$count"

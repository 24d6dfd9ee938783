#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Manual pages say what the programs and plugins say, and their examples are right.
set -u
muses=${MUSES:-muses}
here=$(cd "${srcdir:-.}" && pwd) || exit 99
work=$(mktemp -d "${TMPDIR:-/tmp}/t_pages.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
umask 077

count=0
ok() { # STATUS TITLE: with $work/out as diagnostics
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		head -n 40 "$work/out" | sed 's/^/# /'
	fi
}
pages=$(ls "$here"/doc/*.[1-9] "$here"/plugins/*/*/*.[1-9])
verbs=$("$muses" --help | sed -n 's/^  \([a-z][a-z]*\)  .*/\1/p')
parts=$("$muses" options | grep -v '^ ' | grep .)

# ---- regions that are filled in ------------------------------------------------
bad=0
: >"$work/out"
for page in $pages; do
	cp "$page" "$work/page" && srcdir=$here sh "$here/doc/pages.sh" "$work/page" >>"$work/out" 2>&1 ||
		bad=1
	diff -u "$page" "$work/page" >>"$work/out" || bad=1
done
ok $bad "pages are as doc/pages.sh fills them"

"$muses" plugins >"$work/list" 2>"$work/out"
bad=$?
while read -r name kind rest; do
	page=$here/plugins/$kind/$name/muses-$name.7
	grep -q "^\.\\\\\" options $name\$" "$page" 2>>"$work/out" && continue
	echo "$name: no page with its options" >>"$work/out"
	bad=1
done <"$work/list"
[ -s "$work/list" ] || bad=1
ok $bad "each plugin has a page with its options"

bad=0
: >"$work/out"
for part in $parts; do
	grep -q "^\.\\\\\" options $part\$" "$here/doc/muses.json.5" ||
		{ echo "$part" >>"$work/out"; bad=1; }
done
[ "$(echo "$parts" | wc -l)" -eq 6 ] || bad=1
ok $bad "each part of the file is in muses.json(5)"

# ---- verbs and options --------------------------------------------------------
bad=0
: >"$work/out"
for verb in $verbs; do
	grep -qE "^(\.It )?(Cm|\.Cm) $verb( |\$)" "$here/doc/muses.1" ||
		grep -q "^\.It Cm $verb\( \|\$\)" "$here/doc/muses.1" ||
		{ echo "$verb: not in muses(1)" >>"$work/out"; bad=1; }
	"$muses" "$verb" --help | grep -o -e '--[a-z][a-z-]*' | sort -u |
		while read -r option; do
			grep -q "Fl Fl ${option#--}" "$here/doc/muses.1" ||
				echo "$verb $option: not in muses(1)"
		done >>"$work/out"
done
[ -s "$work/out" ] && bad=1
[ "$(echo "$verbs" | wc -l)" -ge 13 ] || bad=1
ok $bad "each verb and each of its options is in muses(1)"

bad=0
: >"$work/out"
# What "muses nc" and its like mean, among words of sentences.
for word in $(grep -ohE "(\`|Ql |'|\\$ |&& |^    |Command )muses (-c [^ ]+ )?[a-z]+" "$here"/README.md \
	"$here"/HACKING.md "$here"/doc/*.md $pages | sed 's/.* //' | sort -u); do
	echo "$verbs" | grep -qx "$word" && continue
	echo "muses $word: there is no such verb" >>"$work/out"
	bad=1
done
ok $bad "each verb that a page or document mentions is there"

bad=0
: >"$work/out"
for document in README.md HACKING.md doc/ARCHITECTURE.md doc/PROTOCOL.md doc/PROTOCOL-keys.md \
	doc/PROTOCOL-links.md; do
	for file in $(grep -oE '\]\([^):#]+[)#]' "$here/$document" | sed 's/..\(.*\)./\1/'); do
		[ -e "$here/$(dirname "$document")/$file" ] && continue
		echo "$document: there is no $file" >>"$work/out"
		bad=1
	done
done
ok $bad "files that documents refer to are there"

suites() { sed -n "$1" $2 | sort; }
suites 's/^| \(0x[0-9a-f]*\) | `\([a-z0-9_]*\)` .*/\2 \1/p' "$here/doc/PROTOCOL.md" >"$work/one"
suites 's/^\.It \([a-z0-9_]*\) Ta \(0x[0-9a-f]*\) .*/\1 \2/p' \
	"$(echo "$here"/plugins/security/*/*.7)" >"$work/two"
diff "$work/one" "$work/two" >"$work/out" && [ -s "$work/one" ]
ok $? "the protocol and the plugins' pages have the same suites"

bad=0
: >"$work/out"
for number in $(grep -rhoE 'doc/PROTOCOL says [0-9]+' "$here/core" "$here/plugins" | sed 's/.* //' | sort -u); do
	grep -qwE "$number" "$here"/doc/PROTOCOL*.md || { echo "$number" >>"$work/out"; bad=1; }
done
ok $bad "sizes that the code says the protocol has are there"

# ---- form ------------------------------------------------------------------------
if command -v mandoc >/dev/null; then
	mandoc -T lint $pages 2>/dev/null | grep -v 'referenced manual not found' >"$work/out"
	! [ -s "$work/out" ]
	ok $? "mandoc has no complaints"
	bad=0
	: >"$work/out"
	for name in $(cat $pages | sed -n 's/^\.Xr \(muses[^ ]*\) \([0-9]\).*/\1.\2/p' | sort -u); do
		echo "$pages" | grep -q "/$name\$" || { echo "$name" >>"$work/out"; bad=1; }
	done
	ok $bad "pages refer to pages that are there"
else
	for title in "mandoc has no complaints" "pages refer to pages that are there"; do
		count=$((count + 1))
		echo "ok $count - $title # SKIP there is no mandoc"
	done
fi

# ---- JSON ------------------------------------------------------------------------
# The files that examples name, in one folder.
cd "$work" || exit 99
printf '{ "group": "%s" }\n' "$("$muses" genpsk)" >psk.json
for name in alice bob carol dave relay1 relay2; do
	"$muses" genkey >"$name.key"
	"$muses" pubkey "$name.key" >>everybody
done
for name in alice bob carol dave relay1 relay2; do
	grep -v "^$name " everybody >"$name.peers"
done
cp bob.peers peers

bad=0
: >out
for file in "$here"/doc/examples/*.json; do # tests/t_muses_conf.sh runs those of conf/.
	cp "$file" . && "$muses" check "${file##*/}" >>out 2>&1 || { echo "$file" >>out; bad=1; }
done
ok $bad "example files of doc/ pass muses check"

# member TEXT: a whole file from one member of the pipeline.
keys='"keys": { "plugin": "psk", "file": "psk.json" }'
security='"security": [ { "plugin": "aes_gcm" } ]'
reliability='"reliability": { "plugin": "srm" }'
overlay='"overlay": { "plugin": "cloak_static" }'
transport='"transport": [ { "plugin": "tcp", "listen": [ "127.0.0.1:0" ] } ]'
whole() { # KEY TEXT
	(
		eval "$1=\$2"
		printf '{ "name": "bob", "pipeline": {\n%s,\n%s,\n%s,\n%s,\n%s } }\n' \
			"$keys" "$security" "$reliability" "$overlay" "$transport"
	)
}
bad=0 tried=0
: >out
for page in "$here"/plugins/*/*/*.7; do
	# Each literal block that begins with a member, or with a layer, on a line of its own.
	sed -n '/^\.Bd -literal/,/^\.Ed/p' "$page" | sed 's/\\e/\\/g' | awk -v out=block '
		/^\.Bd/ { n++; file = out "." n; printf "" >file; next }
		/^\.Ed/ { close(file); next }
		{ print >file }'
	for block in block.*; do
		[ -e "$block" ] || continue
		text=$(cat "$block")
		rm "$block"
		case $text in
		'"'*'": '*)
			key=${text#\"}
			key=${key%%\"*}
			;;
		'{ "plugin"'*)
			key=$(basename "$(dirname "$(dirname "$page")")")
			case $key in
			security | transport) text="\"$key\": [ $text ]" ;;
			*) text="\"$key\": $text" ;;
			esac
			;;
		*) continue ;;
		esac
		tried=$((tried + 1))
		whole "$key" "$text" >block.json
		"$muses" check block.json >>out 2>&1 && continue
		echo "${page##*/}: $text" >>out
		bad=1
	done
done
[ "$tried" -ge 15 ] || { echo "only $tried examples found" >>out; bad=1; }
ok $bad "examples of layers in the plugins' pages pass muses check"

# ---- C ---------------------------------------------------------------------------
title="the plugin that muses-plugin(3) begins with is found and fits"
if [ -f "${builddir:-.}/doc/examples/.libs/nowhere.so" ]; then
	whole transport '"transport": [ { "plugin": "nowhere", "dial": { "alice": "nowhere" } } ]' >n.json
	"$muses" check --plugin-path "$builddir/doc/examples" n.json >out 2>&1 &&
		"$muses" plugins --plugin-path "$builddir/doc/examples" nowhere >>out 2>&1
	ok $? "$title"
else
	count=$((count + 1))
	echo "ok $count - $title # SKIP a static build loads no plugins"
fi

echo "1..$count"

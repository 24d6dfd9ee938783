#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Three network namespaces, alice - relay - bob; bob's cable is pulled out for 0.1 s,
# 5 s and 20 s while files go both ways.  Needs root; nothing leaves the namespaces.
. "${srcdir:-.}/tests/lib.sh"

space=muses$$
leave() {
	tidy
	for name in alice relay bob; do ip netns del "$space-$name"; done 2>/dev/null
}
trap leave EXIT
if [ "$(id -u)" -ne 0 ] || ! ip netns add "$space-relay" 2>/dev/null; then
	echo "1..0 # SKIP this needs root, and network namespaces"
	exit 0
fi
echo 1..6

in_space() { # NAME COMMAND...
	name=$1
	shift
	ip netns exec "$space-$name" "$@"
}
cable() { # NAME NUMBER: from NAME to the relay
	ip netns add "$space-$1" &&
		ip link add cable netns "$space-$1" type veth peer name "to-$1" netns "$space-relay" &&
		in_space "$1" ip address add "10.$2.0.2/24" dev cable &&
		in_space relay ip address add "10.$2.0.1/24" dev "to-$1" &&
		in_space "$1" ip link set cable up && in_space relay ip link set "to-$1" up
}
cable alice 1 && cable bob 2
ok $? "there are three namespaces"

printf '{ "group": "%s" }\n' "$("$muses" genpsk)" >psk.json
make_node() { # NAME TRANSPORT [OVERLAY]
	cat >"$1.json" <<-END
		{ "name": "$1", "control": "$1.sock", "pipeline": {
		"keys": { "plugin": "psk", "file": "psk.json" },
		"security": [ { "plugin": "aes_gcm" } ], "reliability": { "plugin": "srm" },
		"overlay": { "plugin": "cloak_static" $3 }, "transport": [ $2 ] } }
	END
	"$muses" check "$1.json" || exit 99
	ip netns exec "$space-$1" "$muses" node "$1.json" 2>"$1.log" & # No function: $! is the node.
	pids="$pids $!"
}
# impair makes it slow enough that the files are on their way all the time.
slow() { echo "{ \"plugin\": \"impair\", \"rate_kbit\": 40000, \"over\": $1 }"; }
make_node relay '{ "plugin": "tcp", "listen": [ "10.1.0.1:7447", "10.2.0.1:7447" ] }' ""
make_node alice '{ "plugin": "tcp", "dial": { "relay": "10.1.0.1:7447" } }' \
	', "routes": { "bob": [ "relay" ] }'
make_node bob "$(slow '{ "plugin": "tcp", "dial": { "relay": "10.2.0.1:7447" } }')" \
	', "routes": { "alice": [ "relay" ] }'
await 200 up alice && await 200 up bob
ok $? "alice and bob have links with the relay"

# ---- files both ways ------------------------------------------------------------
mkdir at-alice at-bob
size=30000000
start_file() { # FROM TO
	head -c "$size" /dev/urandom >"$1.film"
	"$muses" -c "$2.sock" receive --once "at-$2" 2>"$2.receive.err" &
	eval "receiver_$2=$!"
	pids="$pids $!"
	await 100 grep -q waiting "$2.receive.err"
	timeout 200 "$muses" -c "$1.sock" send "$1.film" "$2" 2>"$1.send.err" &
	eval "sender_$1=$!"
	pids="$pids $!"
}
start_file alice bob
start_file bob alice

there() { stat -c %s "$1" 2>/dev/null || echo 0; }
more() { [ "$(there "$1")" -gt "$2" ]; }
both_past() { more at-alice/bob.film.part "$1" && more at-bob/alice.film.part "$1"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# When it came, in ms after $2; -1: not within 60 s.
first_byte() { # FILE MS
	was=$(there "$1")
	while ! more "$1" "$was"; do
		[ $(($(now_ms) - $2)) -lt 60000 ] || { echo -1; return; }
		sleep 0.005
	done
	echo $(($(now_ms) - $2))
}
pull() { # SECONDS BYTES: once that many have gone each way
	if ! await 600 both_past "$2"; then
		ok 1 "the cable is out for $1 s, and both files go on"
		return
	fi
	in_space bob ip link set cable down
	sleep "$1"
	in_space bob ip link set cable up
	plugged=$(now_ms)
	first_byte at-bob/alice.film.part "$plugged" >to-bob &
	other=$!
	to_alice=$(first_byte at-alice/bob.film.part "$plugged")
	wait "$other"
	to_bob=$(cat to-bob)
	[ "$to_alice" -ge 0 ] && [ "$to_bob" -ge 0 ]
	ok $? "the cable is out for $1 s, and both files go on"
	echo "# first byte at alice after $to_alice ms, at bob after $to_bob ms"
}
pull 0.1 2000000
pull 5 8000000
pull 20 14000000

status=0
for name in alice bob; do
	eval "wait \$sender_$name" || status=1
	eval "wait \$receiver_$name" || status=1
done
[ "$status" -eq 0 ] && cmp -s alice.film at-bob/alice.film && cmp -s bob.film at-alice/bob.film
ok $? "and arrive whole"

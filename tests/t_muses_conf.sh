#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every pair of nodes in conf/ really runs, and carries a file from one to the other.
. "${srcdir:-.}/tests/lib.sh"

# pair KIND FROM TO TITLE: a file from FROM to TO, and both end cleanly.
pair() {
	kind=$1 from=$2 to=$3 port=$(random_port) local=$(random_port)
	for name in "$from" "$to"; do
		sed "s/127.0.0.1:74[0-9]7/127.0.0.1:$port/; s/127.0.0.1:8080/127.0.0.1:$local/
		     s|/run/muses|$work|" "$here/conf/$kind-$name.json" >"$name.json"
		"$muses" check "$name.json" 2>"$name.err" || { ok 1 "$4"; return; }
		node "$name"
	done
	mkdir "in.$to"
	await 200 up "$from" && await 200 up "$to" || { ok 1 "$4"; return; }
	timeout 60 "$muses" -c "$to.sock" receive --once --from "$from" "in.$to" 2>"$to.err" &
	receiver=$!
	pids="$pids $receiver"
	await 100 grep -q waiting "$to.err"
	timeout 60 "$muses" -c "$from.sock" send film.bin "$to" 2>"$from.err"
	sent=$?
	wait "$receiver"
	[ $? -eq 0 ] && [ "$sent" -eq 0 ] && cmp -s film.bin "in.$to/film.bin"
	ok $? "$4"
	for name in "$from" "$to"; do
		eval "pid=\$pid_$name"
		kill "$pid"
		wait "$pid" || sent=1
	done
	ok "$sent" "and both end with exit code 0 on SIGTERM"
}

echo 1..10
head -c 1500000 /dev/urandom >film.bin
printf '{ "group": "%s", "peers": { "erin": "%s", "frank": "%s" } }\n' \
	"$("$muses" genpsk)" "$("$muses" genpsk)" "$("$muses" genpsk)" >psk.json

for name in carol dave; do
	"$muses" genkey >"$name.key"
done
"$muses" pubkey dave.key >carol.peers
"$muses" pubkey carol.key >dave.peers
pair noise dave carol "noise: each knows the other's key"

# erin and frank share a secret of the pair: the same one, under the other's name.
one=$("$muses" genpsk)
printf '{ "peers": { "frank": "%s" } }\n' "$one" >erin.psk
printf '{ "peers": { "erin": "%s" } }\n' "$one" >frank.psk
mkdir own
for name in erin frank; do
	sed "s/psk.json/$name.psk/" "$here/conf/unix-$name.json" >"own/unix-$name.json"
done
there=$here
mkdir own/conf
mv own/unix-*.json own/conf
here=$work/own
pair unix frank erin "unix: links over a socket of the file system"
here=$there

pair impair gina carl "impair: a link that delays, loses and reorders"
! grep -q -v '^{.*}$' carl.log
ok $? "a log of JSON has an object on each line"
grep -q '"level"' carl.log
ok $? "which says its level"

# ---- the service manager ----------------------------------------------------------
python=$(command -v python3 || :)
if [ -z "$python" ]; then
	echo "ok 9 - the service manager hears of readiness # SKIP there is no python3"
	echo "ok 10 - and of the end # SKIP there is no python3"
	exit 0
fi
"$python" -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
open("bound", "w").close()
s.settimeout(20)
while True:
    line = s.recv(1000).decode().split("\n")[0]
    print(line, flush=True)
    if line == "STOPPING=1":
        break
' >notify.log &
pids="$pids $!"
await 100 test -e bound
NOTIFY_SOCKET=$work/notify "$muses" node carl.json 2>carl.log &
node=$!
pids="$pids $node"
await 100 grep -q READY=1 notify.log
ok $? "the service manager hears of readiness"
kill -HUP "$node"
await 100 grep -q RELOADING=1 notify.log
kill "$node"
wait "$node"
await 100 grep -q STOPPING=1 notify.log
ok $? "and of the end"

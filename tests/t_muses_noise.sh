#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nodes made as `muses init` says: an outage, a restart of either end, a peer who is
# struck off the list, and a stranger.
. "${srcdir:-.}/tests/lib.sh"

python=$(command -v python3 || :)
if [ -z "$python" ] || ! "$muses" plugins 2>/dev/null | grep -q '^noise '; then
	echo "1..0 # SKIP there is no python3 or no plugin noise"
	exit 0
fi
echo 1..13

status() { "$muses" -c "$1.sock" status; }
state() { status bob | grep -q "^session alice: $1"; }
counted() { # NODE REASON: how often
	status "$1" | awk -F': ' -v want="counter noise, $2" '$1 ~ want { n += $2 } END { print n + 0 }'
}
# What it writes when it can: the echo of LINE from alice's service.
echoed() { # LINE
	[ "$(printf '%s\n' "$1" | timeout 20 "$muses" -c bob.sock nc alice ssh 2>nc.err)" = "$1" ]
}
# An application that waits, once it has had one echo; its exit code is that of nc.
wait_with_nc() {
	rm -f keys
	mkfifo keys
	: >nc.out
	timeout 60 "$muses" -c bob.sock nc alice ssh <keys >nc.out 2>nc.err &
	waiting=$!
	exec 3>keys
	echo "there" >&3
	await 200 grep -q there nc.out
}

# ---- as the text says -----------------------------------------------------------
port=$(random_port) echo=$(random_port)
for name in alice bob relay; do "$muses" init "$name" >"$name.next"; done
grep -q '"allow": \[ "bob" \]' alice.next && grep -q '"dial": { "bob"' alice.next &&
	! grep -q '"alice"' alice.next && grep -q '"to": "alice"' bob.next
ok $? "init tells nobody to connect to himself"
line() { sed -n "s/^ *\($1 ed25519:.*\)/\1/p" "$1.next"; }
line alice | tee -a bob.peers >>relay.peers
line bob | tee -a alice.peers >>relay.peers
line relay | tee -a alice.peers >>bob.peers
said() { sed -n "s/^ *\(\"$2\": .*\)/\1/p" "$1.next"; } # NAME KEY
# The neighbour of both is the relay.
dial=$(said bob dial | sed "s/alice/relay/; s/192.0.2.7:7447/127.0.0.1:$port/")
sed -i "s/0.0.0.0:7447/127.0.0.1:$port/" relay.json
sed -i "s/\"listen\": \[[^]]*\], \"dial\": {}/$dial/
        s/\"cloak_static\"/&, \"routes\": { \"bob\": [ \"relay\" ] }/
        s/\"services\": {}/$(said alice services | sed "s/127.0.0.1:22/127.0.0.1:$echo/")/" alice.json
sed -i "s/\"listen\": \[[^]]*\], \"dial\": {}/$dial/
        s/\"cloak_static\"/&, \"routes\": { \"alice\": [ \"relay\" ] }/
        s/\"forward\":  \[\]/$(said bob forward | sed "s/127.0.0.1:2222/unix:forward.sock/")/" bob.json
for name in alice bob relay; do
	"$muses" check "$name.json" 2>"$name.err" || break
	node "$name"
done
await 200 up alice && await 200 up bob
ok $? "nodes made as init says find each other"

"$python" -c '
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
server = Server(("127.0.0.1", int(sys.argv[1])), Echo)
open("listening", "w").close()
server.serve_forever()
' "$echo" 2>echo.log &
pids="$pids $!"
await 200 test -e listening
echoed first && [ -S forward.sock ]
ok $? "bob reaches alice's service"
[ "$(counted bob 'handshakes at first contact')" -eq 1 ]
ok $? "which was their first contact"

# ---- an outage --------------------------------------------------------------------
head -c 30000000 /dev/urandom >film.bin
mkdir in
"$muses" -c alice.sock receive --once in 2>receive.err &
receiver=$!
pids="$pids $receiver"
await 100 grep -q waiting receive.err
kill -STOP "$pid_relay" # So that the outage is sure to be in the middle.
timeout 60 "$muses" -c bob.sock send film.bin alice 2>send.err &
sender=$!
sleep 0.2
kill -CONT "$pid_relay"
await 200 test -e in/film.bin.part
kill_node relay
await 200 state suspended
sleep 1
node relay
wait "$sender"
sent=$?
wait "$receiver"
[ $? -eq 0 ] && [ "$sent" -eq 0 ] && cmp -s film.bin in/film.bin
ok $? "a file arrives whole, over an outage"

# ---- bob restarts -----------------------------------------------------------------
kill "$pid_bob"
wait "$pid_bob"
ok $? "bob's node ends cleanly"
node bob
await 200 up bob && echoed second
ok $? "and is back"

# ---- alice's power fails ------------------------------------------------------------
wait_with_nc
kill_node alice
node alice
await 200 up alice
began=$(date +%s%N)
echo "still there" >&3
wait "$waiting"
[ $? -eq 255 ] && grep -q 'peer restarted' nc.err
ok $? "an application that waited is told that the peer restarted"
echo "# after $((($(date +%s%N) - began) / 1000000)) ms"
exec 3>&-
began=$(date +%s%N)
echoed third
ok $? "and the next connection works at once"
echo "# after $((($(date +%s%N) - began) / 1000000)) ms"

# ---- struck off --------------------------------------------------------------------
wait_with_nc
cp alice.peers before.peers
cp alice.json before.json
sed -i '/^bob /d' alice.peers
sed -i 's/"allow": \[ "bob" \]/"allow": [ "relay" ]/' alice.json
kill -HUP "$pid_alice"
wait "$waiting"
[ $? -eq 255 ] && [ -s nc.err ]
ok $? "striking bob off alice's list ends his connection"
exec 3>&-
timeout 20 "$muses" -c bob.sock nc -w 3 alice ssh </dev/null >nc.out 2>nc.err
[ $? -ne 0 ] && [ -s nc.err ] && [ "$(counted alice stranger)" -ge 1 ]
ok $? "then he is a stranger, is refused and counted"

# ---- and put back ------------------------------------------------------------------
cp before.peers alice.peers
cp before.json alice.json
"$muses" -c alice.sock reload
echoed fourth
ok $? "put back, he is heard again"
[ "$(counted bob 'handshakes with a key at hand')" -ge 1 ]
ok $? "with alice's key at hand, which is one message less"

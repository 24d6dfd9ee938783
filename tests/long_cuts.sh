#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A hundred cuts in one transfer, one download by curl and one ssh session, over two
# relays and a link that impair cuts; and then the relays freeze for 70 s.
# MUSES_CUTS and MUSES_FREEZE_S make it shorter, for whoever works on it.
. "${srcdir:-.}/tests/lib.sh"
cuts=${MUSES_CUTS:-100}
freeze_s=${MUSES_FREEZE_S:-70}
chunk=600000 # Bytes of the file between two cuts.

python=$(command -v python3 || :)
if ! command -v curl >/dev/null || [ -z "$python" ] || ! ssh_works; then
	echo "1..0 # SKIP there is no curl, no python3 or no sshd that can run here"
	exit 0
fi
echo 1..8

now_ms() { echo $(($(date +%s%N) / 1000000)); }
# 50 to 800 ms, as sleep wants it.
gap() { printf '0.%03d' $((50 + $(od -An -N2 -tu2 /dev/urandom) % 751)); }
arrived() { # BYTES
	[ "$(stat -c %s in/film.bin.part 2>/dev/null || echo 0)" -ge "$1" ]
}
answers() { "$muses" -c "$1.sock" status; }
running() { kill -0 "$1"; }
line_after() { [ "$(wc -l <lines)" -gt "$1" ]; }

# ---- four nodes ---------------------------------------------------------------
printf '{ "group": "%s" }\n' "$("$muses" genpsk)" >psk.json
one=$(random_port) two=$(random_port) http=$(random_port) ssh=$(random_port)
windows= at=3000
while [ "$at" -lt 300000 ]; do # impair cuts every three seconds, whatever else is cut.
	windows="$windows${windows:+, }\"$at-$((at + 50 + $(od -An -N2 -tu2 /dev/urandom) % 751))\""
	at=$((at + 3000))
done
make_node() { # NAME TRANSPORT [REST]
	cat >"$1.json" <<-END
		{ "name": "$1", "control": "$1.sock", "pipeline": {
		"keys": { "plugin": "psk", "file": "psk.json" },
		"security": [ { "plugin": "aes_gcm" } ], "reliability": { "plugin": "srm" },
		"overlay": { "plugin": "cloak_static" $4 }, "transport": [ $2 ] } $3 }
	END
	"$muses" check "$1.json" || exit 99
}
dial="\"dial\": { \"relay1\": \"127.0.0.1:$one\", \"relay2\": \"127.0.0.1:$two\" }"
make_node relay1 "{ \"plugin\": \"tcp\", \"listen\": [ \"127.0.0.1:$one\" ] }" "" ""
make_node relay2 "{ \"plugin\": \"tcp\", \"listen\": [ \"127.0.0.1:$two\" ] }" "" ""
make_node alice "{ \"plugin\": \"tcp\", $dial }" ", \"services\": {
	\"web\": { \"connect\": \"127.0.0.1:$http\", \"allow\": [ \"*\" ] },
	\"ssh\": { \"connect\": \"127.0.0.1:$ssh\", \"allow\": [ \"*\" ] } }" \
	', "routes": { "bob": [ "relay1", "relay2" ] }'
make_node bob "{ \"plugin\": \"impair\", \"rate_kbit\": 12000, \"cut\": [ $windows ],
		\"over\": { \"plugin\": \"tcp\", $dial } }" \
	', "forward": [ { "listen": "unix:web.sock", "to": "alice", "service": "web" } ]' \
	', "routes": { "alice": [ "relay1", "relay2" ] }'
for name in relay1 relay2 alice; do node "$name"; done
began_ms=$(now_ms)
node bob
await 200 up alice && await 200 up bob
ok $? "two nodes find each other over two relays"

# ---- what runs over them --------------------------------------------------------
cat >serve.py <<'END'
# One answer without an end, until the file "enough" is there; served is what was said.
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with open("served", "wb") as copy:
            while not os.path.exists("enough"):
                block = os.urandom(4096)
                copy.write(block)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
                time.sleep(0.01)
        self.wfile.write(b"0\r\n\r\n")
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
open("listening", "w").close()
server.serve_forever()
END
cat >watch.py <<'END'
# Are the lines in order, and what was the longest wait for one, before and after "frozen"?
import os, sys, time
last, expected, longest = time.monotonic(), 0, {False: 0, True: 0}
with open("lines", "w") as lines:
    for line in sys.stdin:
        frozen, now = os.path.exists("frozen"), time.monotonic()
        longest[frozen] = max(longest[frozen], now - last)
        last = now
        if line == "end %d\n" % expected:
            print("complete %.2f %.2f" % (longest[False], longest[True]))
        elif line != "%d\n" % expected:
            print("wrong: %r instead of %d" % (line, expected))
            break
        expected += 1
        lines.write("x\n")
        lines.flush()
END
"$python" serve.py "$http" 2>http.log &
pids="$pids $!"
start_sshd "$ssh"
await 200 test -e listening

# Half of it is left after the last cut.
head -c $((chunk * (cuts + 2) * 2)) /dev/urandom >film.bin
mkdir in
"$muses" -c alice.sock receive --once in 2>receive.err &
receiver=$!
pids="$pids $receiver"
await 100 grep -q waiting receive.err

mkfifo said
"$python" watch.py <said >watch.out &
watcher=$!
MUSES_CONTROL="$work/bob.sock" ssh $ssh_options -o ProxyCommand="'$muses' nc %h ssh" alice \
	"i=0; while ! [ -e '$work/enough' ]; do echo \$i; i=\$((i + 1)); sleep 0.02; done; echo end \$i" \
	>said 2>ssh.err </dev/null &
client=$!
curl -sS --unix-socket web.sock -o got http://alice/ 2>curl.err &
curl=$!
pids="$pids $watcher $client $curl"
await 200 test -s got && await 200 line_after 10
ok $? "curl and ssh begin"
"$muses" -c bob.sock send film.bin alice 2>send.err &
sender=$!
pids="$pids $sender"

# ---- the cuts -------------------------------------------------------------------
both() { kill "-$1" "$pid_relay1" "$pid_relay2"; }
window_ms() { echo $((3000 - ($(now_ms) - began_ms) % 3000)); } # Until the next one.
cut() { # NUMBER
	next=$(window_ms)
	if [ "$next" -lt 700 ]; then # impair cuts.
		weather=$((weather + 1))
		next=$((next + 800))
		sleep "$((next / 1000)).$(printf %03d $((next % 1000)))"
		return
	fi
	case $(($1 % 4)) in
	0) # Both relays die.
		kill_node relay1
		kill_node relay2
		sleep "$(gap)"
		node relay1
		node relay2
		;;
	1) # Both freeze.
		both STOP
		sleep "$(gap)"
		both CONT
		;;
	*) # One dies, the other does not.
		kill_node "relay$(($1 % 4 - 1))"
		sleep "$(gap)"
		node "relay$(($1 % 4 - 1))"
		;;
	esac
}
weather=0
made=0
while [ "$made" -lt "$cuts" ]; do
	await 600 arrived $((chunk * (made + 1))) || break
	[ -e in/film.bin.part ] && running "$sender" && running "$curl" && running "$client" || break
	cut "$made"
	made=$((made + 1))
done
[ "$made" -eq "$cuts" ]
ok $? "$cuts cuts, and bytes of the file arrive after each"
took_ms=$(($(now_ms) - began_ms))

# ---- 70 s without relays, which is longer than any timer of a link -----------------
>frozen
both STOP
sleep "$freeze_s"
both CONT
before=$(wc -l <lines)
await 1200 line_after "$before"
ok $? "ssh goes on after $freeze_s s"
wait "$sender"
sent=$?
wait "$receiver"
[ $? -eq 0 ] && [ "$sent" -eq 0 ] &&
	[ "$(sha256sum <film.bin)" = "$(sha256sum <in/film.bin)" ]
ok $? "the file arrives whole"

>enough
wait "$curl"
[ $? -eq 0 ] && [ -s got ] && cmp -s served got
ok $? "curl gets every byte"
wait "$client"
left=$?
wait "$watcher"
[ "$left" -eq 0 ] && grep -q '^complete' watch.out
ok $? "the lines over ssh are complete and in order"
! grep 'has restarted\|session with .* closed\|session with .* ends' alice.log bob.log | sed 's,^,# ,' | grep .
ok $? "and it was the same session from the first to the last"
read -r word longest frozen <watch.out
echo "# $made cuts in $((took_ms / 1000)) s, $weather of them by impair, longest stall of ssh $longest s; $frozen s with $freeze_s s of frozen relays"
echo "# $(wc -c <film.bin) bytes sent, $(wc -c <got) downloaded, $(wc -l <lines) lines"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Real programs over two nodes and a relay that dies in between: nc, curl, ssh, send.
. "${srcdir:-.}/tests/lib.sh"

state() { "$muses" -c bob.sock status | grep -q "^session alice: $1"; }
# An outage of a second and a half, once COMMAND... says that all is under way.
outage() {
	await 200 "$@" || return 1
	kill_node relay1
	await 200 state suspended || return 1
	sleep 1
	node relay1
	await 200 state established
}

echo 1..11

# ---- alice, bob, and a relay between them, from conf/ ---------------------------
printf '{ "group": "%s" }\n' "$("$muses" genpsk)" >psk.json
relay=$(random_port) http=$(random_port) ssh=$(random_port) forward=$(random_port)
for name in alice bob relay1; do
	sed "s/127.0.0.1:7001/127.0.0.1:$relay/; s/, \"relay2\": \"[^\"]*\"//; s/, \"relay2\"//
	     s/127.0.0.1:2222/127.0.0.1:$forward/; s/127.0.0.1:22\"/127.0.0.1:$ssh\"/
	     s|\"services\": {|& \"web\": { \"connect\": \"127.0.0.1:$http\", \"allow\": [ \"*\" ] },|
	     s|\"forward\":  \[|& { \"listen\": \"unix:web.sock\", \"to\": \"alice\", \"service\": \"web\" },|" \
		"$here/conf/$name.json" >"$name.json"
	"$muses" check "$name.json" || exit 99
	node "$name"
done
await 200 up alice && await 200 up bob
ok $? "the nodes of conf/ find each other over a relay"

# ---- nc -------------------------------------------------------------------------
"$muses" -c bob.sock nc alice nothing </dev/null >nc.out 2>nc.err
[ $? -eq 255 ] && grep -q 'no such service' nc.err
ok $? "nc to a service that is not there ends with 255, and says why"
timeout 20 "$muses" -c bob.sock nc alice web </dev/null >nc.out 2>nc.err
[ $? -eq 255 ] && grep -q 'refused' nc.err
ok $? "nc to a service that nobody serves ends with 255, and says why"
timeout 20 "$muses" -c bob.sock nc carol web </dev/null >nc.out 2>nc.err -w 1
[ $? -ne 0 ] && [ -s nc.err ]
ok $? "nc to nobody fails in words"

# ---- files ----------------------------------------------------------------------
head -c 40000000 /dev/urandom >film.bin
mkdir in
"$muses" -c alice.sock receive --count 2 in 2>receive.err &
receiver=$!
pids="$pids $receiver"
await 100 grep -q waiting receive.err
kill -STOP "$pid_relay1" # Nothing moves: the outage is sure to be in the middle.
timeout 60 "$muses" -c bob.sock send film.bin psk.json alice 2>send.err &
sender=$!
sleep 0.2
kill -CONT "$pid_relay1"
outage test -e in/film.bin.part
outage_was=$?
wait "$sender"
sent=$?
wait "$receiver"
[ $? -eq 0 ] && [ "$sent" -eq 0 ] && cmp -s film.bin in/film.bin && cmp -s psk.json in/psk.json
ok $? "two files arrive whole, over an outage"
if [ "$outage_was" -eq 0 ] && ! grep -q '^film.bin: sent' send.err; then
	grep -q '^suspended' send.err && grep -q '^resumed after' send.err
fi
ok $? "and the sender says what happened"
timeout 20 "$muses" -c bob.sock send film.bin alice 2>send.err
[ $? -eq 1 ] && grep -q 'no such service' send.err
ok $? "send fails in words when nobody receives"

# ---- curl through a forward -----------------------------------------------------
title="curl's download goes on after an outage"
python=$(command -v python3 || :)
if ! command -v curl >/dev/null || [ -z "$python" ]; then
	skip "$title" "there is no curl or no python3"
	skip "and does not notice a reload that takes the service away" "as above"
else
	(cd in && exec "$python" -m http.server --bind 127.0.0.1 "$http") >http.log 2>&1 &
	pids="$pids $!"
	await 200 curl -s -o /dev/null "http://127.0.0.1:$http/psk.json"
	timeout 60 curl -s --limit-rate 15M --unix-socket web.sock -o got.bin http://alice/film.bin \
		2>curl.err &
	curl=$!
	outage test -s got.bin
	# What is open does not notice that the service is offered no more.
	sed -i 's/"web": { "connect[^}]*},//' alice.json
	"$muses" -c alice.sock reload 2>reload.err
	wait "$curl"
	[ $? -eq 0 ] && cmp -s film.bin got.bin
	ok $? "$title"
	timeout 20 curl -s --unix-socket web.sock -o none.bin http://alice/film.bin 2>curl.err
	[ $? -ne 0 ] && [ ! -s reload.err ] && grep -q 'has no such service' bob.log
	ok $? "and does not notice a reload that takes the service away"
fi

# ---- ssh, through nc as its ProxyCommand and through a forward --------------------
one="ssh works with nc as its ProxyCommand, over an outage"
two="ssh works through a forward"
if ! ssh_works; then
	skip "$one" "there is no ssh, or sshd cannot run here"
	skip "$two" "there is no ssh, or sshd cannot run here"
else
	start_sshd "$ssh"
	# It says "begun", and then waits for us, as somebody at a keyboard would.
	mkfifo keys
	MUSES_CONTROL="$work/bob.sock" timeout 60 ssh $ssh_options \
		-o ProxyCommand="'$muses' nc %h ssh" alice 'echo begun; read line; echo "$line"' \
		<keys >ssh.out 2>ssh.err &
	client=$!
	exec 3>keys
	outage grep -q begun ssh.out
	echo "still here" >&3
	exec 3>&-
	wait "$client"
	[ $? -eq 0 ] && grep -q 'still here' ssh.out
	ok $? "$one"
	timeout 20 ssh $ssh_options -p "$forward" 127.0.0.1 'echo through' >ssh.out 2>ssh.err </dev/null
	grep -q through ssh.out
	ok $? "$two"
fi

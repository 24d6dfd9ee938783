#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make demo: a file goes from bob to alice over two relays, while the relays are
# first killed and then frozen.  Needs no root, touches nothing but a folder of its
# own, and ends only processes that it has started.
set -eu

muses=${MUSES:-muses}
here=${srcdir:-.}
size_mib=${DEMO_MIB:-256}
freeze_s=${DEMO_FREEZE_S:-12}

work=$(mktemp -d "${TMPDIR:-/tmp}/muses-demo.XXXXXX")
pids=
tidy() {
	trap - EXIT INT TERM
	for pid in $pids; do
		kill -CONT "$pid" 2>/dev/null || :
		kill "$pid" 2>/dev/null || :
	done
	wait 2>/dev/null || :
	rm -rf "$work"
}
trap tidy EXIT
trap 'exit 1' INT TERM

say() { printf '\n== %s\n' "$*" >&2; }
die() {
	say "the demonstration failed: $*"
	tail -n 5 "$work"/*.log >&2
	exit 1
}
pid_of() { eval "echo \$pid_$1"; }
start() { # NODE
	"$muses" node "$work/$1.json" 2>>"$work/$1.log" &
	eval "pid_$1=$!"
	pids="$pids $!"
}
stop() { # NODE SIGNAL
	kill "-$2" "$(pid_of "$1")"
	case $2 in KILL) wait "$(pid_of "$1")" 2>/dev/null || : ;; esac
}
await() { # TRIES COMMAND...: every 20 ms
	tries=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.02
	done
}
answers() { "$muses" -c "$work/$1.sock" status; }
linked() { [ "$("$muses" -c "$work/$1.sock" status | grep -c '^link .*: up ')" -ge 2 ]; }
arrived() { # MIB: has that much arrived?
	[ "$(stat -c %s "$work/in/film.bin.part" 2>/dev/null || echo 0)" -ge $(($1 * 1048576)) ] ||
		[ -e "$work/in/film.bin" ]
}
state() { # WORD: is bob's session in that state?
	"$muses" -c "$work/bob.sock" status | grep -q "^session alice: $1"
}
random() { od -An -N2 -tu2 /dev/urandom | tr -d ' '; }

# ---- four nodes --------------------------------------------------------------

say "making a secret for the group, and four nodes from $here/conf"
umask 077
mkdir "$work/in"
printf '{ "group": "%s" }\n' "$("$muses" genpsk)" >"$work/psk.json"
tries=0
while :; do # Ports that are free.
	port1=$((20000 + $(random) % 20000))
	port2=$((port1 + 1))
	for node in alice bob relay1 relay2; do
		sed "s/127.0.0.1:7001/127.0.0.1:$port1/; s/127.0.0.1:7002/127.0.0.1:$port2/
		     /\"forward\"/d" "$here/conf/$node.json" >"$work/$node.json"
		"$muses" check "$work/$node.json"
	done
	start relay1
	start relay2
	await 100 answers relay1 && await 100 answers relay2 && break
	tries=$((tries + 1))
	[ "$tries" -lt 10 ] || die "no free ports"
	kill "$pid_relay1" "$pid_relay2" 2>/dev/null || :
done
start alice
start bob
await 500 linked alice || die "alice has no links"
await 500 linked bob || die "bob has no links"
cat >&2 <<END

      bob ---- relay1 (127.0.0.1:$port1) ---- alice
        \\----- relay2 (127.0.0.1:$port2) ----/
END

# ---- one file, two outages ---------------------------------------------------

say "making a file of $size_mib MiB, and sending it from bob to alice"
head -c "$((size_mib * 1048576))" /dev/urandom >"$work/film.bin"
"$muses" -c "$work/alice.sock" receive --once "$work/in" 2>"$work/receive.log" &
receiver=$!
pids="$pids $receiver"
await 100 grep -q waiting "$work/receive.log" || die "alice does not receive"
before=$(date +%s)
"$muses" -c "$work/bob.sock" send "$work/film.bin" alice &
sender=$!
pids="$pids $sender"

await 3000 arrived $((size_mib / 5)) || die "nothing arrives"
say "first cut: both relays are killed, as if the power had failed"
stop relay1 KILL
stop relay2 KILL
await 500 state suspended || die "the session was not suspended"
sleep 1
say "the relays start again"
start relay1
start relay2
await 1000 state established || die "the session was not resumed"

await 3000 arrived $((size_mib / 2)) || die "nothing arrives after the first cut"
say "second cut: both relays are frozen for $freeze_s s, longer than any timer of the links"
stop relay1 STOP
stop relay2 STOP
await 1500 state suspended || die "the session was not suspended again"
sleep $((freeze_s / 2))
"$muses" -c "$work/bob.sock" status | sed -n '/^session/,/not ack/p' >&2
sleep $((freeze_s - freeze_s / 2))
say "the relays thaw"
stop relay1 CONT
stop relay2 CONT

wait "$sender" || die "the sender failed"
wait "$receiver" || die "the receiver failed"
after=$(date +%s)
cat "$work/receive.log" >&2
there=$(sha256sum <"$work/in/film.bin")
[ "$(sha256sum <"$work/film.bin")" = "$there" ] || die "the files differ"

# ---- what it was -------------------------------------------------------------

say "done in $((after - before)) s; both files have SHA-256 ${there%% *}"
cat >&2 <<END

What you saw: one connection between two programs, by name, over relays that died
and froze under it.  The programs saw a pause; no byte was lost or sent twice to
them, and no connection was opened again.

What to try next:
  muses init                      the files of a node of your own
  muses plugins                   ciphers, links, routes: what can be exchanged
  ssh -o ProxyCommand='muses nc %h ssh' alice
                                  a shell that survives the train's tunnels
  man muses
END

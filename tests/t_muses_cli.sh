#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The face of `muses`: exit codes, messages, help, and the files it makes.
set -u
muses=${MUSES:-muses}
work=$(mktemp -d "${TMPDIR:-/tmp}/t_muses_cli.XXXXXX") || exit 99
node=
trap 'if [ -n "$node" ]; then kill "$node"; wait "$node"; fi 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 99
unset MUSES_CONTROL NOTIFY_SOCKET

count=0
ok() { # STATUS TITLE
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		sed 's/^/# /' out err 2>/dev/null
	fi
}
# expect CODE PATTERN TITLE COMMAND...: exit code, and a line of stdout or stderr
expect() {
	code=$1 pattern=$2 title=$3
	shift 3
	timeout 20 "$@" >out 2>err </dev/null
	got=$?
	[ "$got" -eq "$code" ] && { [ -z "$pattern" ] || cat out err | grep -q -e "$pattern"; }
	ok $? "$title"
	[ "$got" -eq "$code" ] || echo "# exit code $got, not $code"
}

# ---- help and wrong arguments ---------------------------------------------------
expect 0 '^muses [0-9]' "--version says which" "$muses" --version
expect 0 'exit codes' "--help lists the exit codes" "$muses" --help
for verb in node check plugins options genkey pubkey genpsk init status reload nc send receive; do
	expect 0 "^usage: muses $verb" "$verb --help shows how" "$muses" "$verb" --help
done
expect 2 'a verb is missing' "without a verb, it says so" "$muses"
expect 2 'no verb "fly"' "an unknown verb is named" "$muses" fly
expect 2 '^usage: muses nc NAME SERVICE' "too few arguments show the usage" "$muses" nc alice
expect 2 "unrecognized option '--fly'" "an unknown option is named" "$muses" status --fly
expect 2 'want a number from 1 to' "a wrong number is told the range" "$muses" receive -n 0 .
expect 2 'MUSES_CONTROL' "without a node to ask, it says how to name one" "$muses" status
expect 3 'no node answers.*/nowhere' "a node that does not answer is exit code 3" \
	"$muses" -c /nowhere/x status
expect 3 'no node answers' "-c may also stand behind the verb" "$muses" nc -c ./x alice ssh
MUSES_CONTROL=./y expect 3 '\./y' "MUSES_CONTROL names the node" "$muses" status
long=$(printf '%0300d' 0)
expect 3 'no node answers' "a path longer than a socket's name is no trouble" \
	"$muses" -c "$work/$long/$long/socket" status

# ---- keys -----------------------------------------------------------------------
(umask 077; "$muses" genkey >bob.key) 2>err
[ "$(stat -c %a bob.key)" = 600 ] && [ ! -s err ]
ok $? "genkey makes an identity, and has nothing to say"
(umask 022; "$muses" genkey >open.key) 2>err
grep -q 'others can read' err
ok $? "genkey warns when others can read where it goes"
expect 0 '^bob ed25519:[A-Za-z0-9+/]*=$' "pubkey shows the line of peers, named after the file" \
	"$muses" pubkey bob.key
"$muses" pubkey - carol <bob.key >out 2>err && grep -q '^carol ed25519:' out
ok $? "pubkey reads stdin, and takes a name"
! grep -q "$(sed -n 's/^secret ed25519://p' bob.key)" out
ok $? "pubkey does not show the secret"
expect 2 'is not a name' "pubkey refuses a name that is none" "$muses" pubkey bob.key 'a b'
echo nonsense >bad.key
expect 1 'bad.key: line 1' "pubkey says which line is wrong" "$muses" pubkey bad.key
expect 1 'No such file' "pubkey says which file is missing" "$muses" pubkey none.key
expect 0 '^[A-Za-z0-9+/]\{43\}=$' "genpsk makes a secret" "$muses" genpsk
one=$("$muses" genpsk) two=$("$muses" genpsk)
[ "$one" != "$two" ]
ok $? "and another the next time"

# ---- plugins --------------------------------------------------------------------
expect 0 '^aes_gcm  *security' "plugins lists what there is" "$muses" plugins
expect 0 'rehello_ms.*number, 10 to 60000 ms' "plugins NAME shows type, range and unit" \
	"$muses" plugins srm
expect 1 "no plugin 'fly'" "plugins says when there is none of that name" "$muses" plugins fly

# ---- init and check -------------------------------------------------------------
expect 0 'Next:' "init makes a node, and says what to do next" "$muses" init -d . dora
[ "$(stat -c %a dora.json dora.key dora.peers | sort -u)" = 600 ]
ok $? "the files of init are for us alone"
cp dora.key before
expect 1 'is there already' "init overwrites nothing" "$muses" init dora
cmp -s dora.key before
ok $? "and changes nothing"
rm dora.json dora.peers
expect 1 'dora.key: is there already' "init makes all files or none" "$muses" init dora
[ ! -e dora.json ] && [ ! -e dora.peers ]
ok $? "so none is left behind"
rm dora.key
"$muses" init dora >/dev/null
if "$muses" plugins 2>/dev/null | grep -q '^noise '; then
	expect 0 '' "check likes what init made" "$muses" check dora.json
else
	count=$((count + 1))
	echo "ok $count - check likes what init made # SKIP there is no plugin noise here"
fi
sed 's/"aes_gcm"/"aes_gcn"/' dora.json >bad.json
expect 1 'pipeline.security\[0\]' "check names the place of a mistake" "$muses" check bad.json
sed 's/"control"/"controll"/' dora.json >bad.json
expect 1 'controll' "check names an unknown key" "$muses" check bad.json
echo '{ "name": ' >bad.json
expect 1 'bad.json' "check survives half a file" "$muses" check bad.json
expect 1 'bad.json' "and node refuses the same" "$muses" node bad.json
expect 1 'No such file' "check says when there is no file" "$muses" check none.json

# ---- a running node -------------------------------------------------------------
printf '{ "group": "%s" }\n' "$one" >psk.json
chmod 600 psk.json
cat >solo.json <<'END'
{
  "name": "solo",
  "pipeline": {
    "keys":        { "plugin": "psk", "file": "psk.json" },
    "security":    [ { "plugin": "aes_gcm" } ],
    "reliability": { "plugin": "srm" },
    "overlay":     { "plugin": "cloak_static", "routes": { "peer": "relay" } },
    "transport":   [ { "plugin": "tcp", "listen": [ "127.0.0.1:0" ] } ]
  },
  "forward":  [],
  "control":  "solo.sock"
}
END
"$muses" node solo.json 2>log &
node=$!
tries=100
while ! "$muses" -c solo.sock status >/dev/null 2>&1 && [ "$tries" -gt 0 ]; do
	tries=$((tries - 1))
	sleep 0.05
done
expect 0 '^node solo, up' "status shows a running node" "$muses" -c solo.sock status
expect 0 '"name": "solo"' "status --json shows it for programs" "$muses" -c solo.sock status --json
expect 1 'another program answers' "a second node does not take the first one's socket" \
	"$muses" node solo.json
expect 124 'did not answer within' "nc gives up after --wait" "$muses" -c solo.sock nc -w 1 peer ssh
expect 1 'this node itself' "nc to oneself is a mistake, and says so" \
	"$muses" -c solo.sock nc solo ssh
expect 0 '' "reload of the same file is fine" "$muses" -c solo.sock reload
sed -i 's/"aes_gcm"/"chacha20_poly1305"/' solo.json
expect 1 'needs a restart' "reload refuses what needs a restart, and says what" \
	"$muses" -c solo.sock reload
sed -i 's/"chacha20_poly1305"/"aes_gcm"/; s|"forward":  \[\]|"forward": [ { "listen": "unix:f.sock", "to": "peer", "service": "x" } ]|' solo.json
kill -HUP "$node"
tries=100
while [ ! -S f.sock ] && [ "$tries" -gt 0 ]; do
	tries=$((tries - 1))
	sleep 0.05
done
[ -S f.sock ]
ok $? "SIGHUP brings a new forward"
kill -TERM "$node"
wait "$node"
[ $? -eq 0 ] && grep -q 'node: stopped' log && [ ! -e solo.sock ] && [ ! -e f.sock ]
ok $? "SIGTERM ends it cleanly: exit code 0, and no socket is left"
node=
echo "1..$count"

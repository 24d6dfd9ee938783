#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does what README.md says under "ssh that survives", line by line: its commands and
# its pieces of JSON are taken from there, with ports that are free here.
. "${srcdir:-.}/tests/lib.sh"
if ! ssh_works; then
	echo "1..0 # SKIP there is no ssh, or sshd cannot run here"
	exit 0
fi
echo 1..8
ssh=$(command -v ssh)
readme=$here/README.md
mkdir server laptop bin
link=$(random_port) door=$(random_port) forward=$(random_port)

section=$(sed -n '/^## ssh that survives/,/^## /p' "$readme")
# said PATTERN: the one command that has it.
said() {
	printf '%s\n' "$section" | sed -n 's/^    \([a-z]\)/\1/p' | grep -e "$1"
}
# here_for_there: the README's addresses, as they are here.
here_for_there() {
	sed "s/192\.0\.2\.7:7447/127.0.0.1:$link/; s/0\.0\.0\.0:7447/127.0.0.1:$link/
	     s/127\.0\.0\.1:22\"/127.0.0.1:$door\"/; s/127\.0\.0\.1:2222/127.0.0.1:$forward/
	     s/-p 2222/-p $forward/"
}
# edit FILE KEY: put the README's piece of JSON in place of the line with KEY.
edit() {
	piece=$(printf '%s\n' "$section" | sed -n '/^```json/,/^```$/p' | grep "^ *\"$2\"" | here_for_there)
	[ -n "$piece" ] || return 1
	PIECE=$piece awk -v key="^ *\"$2\"" '$0 ~ key { print ENVIRON["PIECE"]; next } { print }' \
		"$1" >new && cat new >"$1" && rm new
}

# muses and ssh, as the README's reader has them: a server that one can reach, which is
# here the folder beside, and a real ssh for everything else.
ln -s "$muses" bin/muses
cat >bin/ssh <<END
#!/bin/sh
if [ "\$1" = 192.0.2.7 ]; then
	shift
	cd "$work/server" && exec sh -c "\$*"
fi
exec "$ssh" -F "$work/config" "\$@"
END
chmod +x bin/ssh
PATH=$work/bin:$PATH
start_sshd "$door" || exit 99
cat >config <<END
IdentityFile $work/user.key
IdentitiesOnly yes
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
END

# ---- 1. a node on each -----------------------------------------------------------
(cd server && eval "$(said '^muses init alice$')" >../init.log 2>&1) &&
	(cd laptop && eval "$(said '^muses init bob$')" >>../init.log 2>&1)
[ $? -eq 0 ] && [ -f server/alice.json ] && [ -f laptop/bob.key ]
ok $? "each machine gets a node"

# ---- 2. let them know each other -------------------------------------------------
(cd laptop && eval "$(said 'alice\.peers')" && eval "$(said 'bob\.peers')") >peers.log 2>&1
grep -q '^bob ed25519:' server/alice.peers && grep -q '^alice ed25519:' laptop/bob.peers
ok $? "each learns the other's key"

# ---- 3. what is served, and where the neighbour is --------------------------------
edit server/alice.json services && edit laptop/bob.json transport
ok $? "the pieces of JSON fit"
here_for_there <server/alice.json >new && cat new >server/alice.json

# ---- 4. run them -------------------------------------------------------------------
run() { # FOLDER NAME
	line=$(said "muses node $2.json")
	(cd "$1" && eval "${line%% && *}") >"$2.log" 2>&1 || return 1
	(cd "$1" && eval "exec ${line##* && }") >>"$2.log" 2>&1 &
	pids="$pids $!"
}
run server alice && run laptop bob && await 200 muses -c laptop/bob.sock status &&
	await 200 sh -c "muses -c laptop/bob.sock status | grep -q '^link alice: up '"
ok $? "they run, and link"

# ---- 5. use it ----------------------------------------------------------------------
# says COMMAND...: what it says, in the laptop's folder, is "it works".
says() {
	[ "$(cd laptop && timeout 30 "$@" echo it works 2>>../ssh.err)" = "it works" ]
}
line=$(said '^ssh -o ProxyCommand')
(cd laptop && eval "$(said '^export MUSES_CONTROL')" && cd .. && eval "says $line")
ok $? "ssh works with nc as its ProxyCommand"
# ~/.ssh/config, with another home.
printf '%s\n' "$section" | sed -n '/^    Host alice/,/^$/p' | sed "s|~/|$work/laptop/|" >>config
says ssh alice
ok $? "so it does with the lines for ~/.ssh/config"

edit laptop/bob.json forward && muses -c laptop/bob.sock reload >reload.log 2>&1
ok $? "a forward can be added while the node runs"
line=$(printf '%s\n' "$section" | grep -o 'ssh -p 2222 127\.0\.0\.1' | here_for_there)
says $line
ok $? "ssh works through it"

# SPDX-License-Identifier: Apache-2.0
# What the tests of whole programs share; sourced.  It makes a folder of their own and
# goes there, ends at exit what is in $pids, and has:
#
#   ok STATUS TITLE, skip TITLE WHY   a line of TAP; the test has printed its plan
#   await TRIES COMMAND...            try every 50 ms
#   random_port                       below the ports that the system gives out itself
#   node NAME                         run NAME.json; $pid_NAME and NAME.log are its
#   kill_node NAME                    as if the power had failed
#   up NAME                           NAME has a link
set -u
muses=${MUSES:-muses}
here=${srcdir:-.}
work=$(mktemp -d "${TMPDIR:-/tmp}/$(basename "$0" .sh).XXXXXX") || exit 99
pids=
count=0
tidy() {
	trap - EXIT INT TERM
	for pid in $pids; do
		kill -CONT "$pid"
		kill "$pid"
	done 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap tidy EXIT
trap 'exit 1' INT TERM
cd "$work" || exit 99
umask 077

ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		tail -n 4 ./*.log ./*.err 2>/dev/null | sed 's/^/# /'
	fi
}
skip() {
	count=$((count + 1))
	echo "ok $count - $1 # SKIP $2"
}
await() {
	tries=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}
random_port() { echo $((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000)); }
node() {
	"$muses" node "$1.json" 2>>"$1.log" &
	eval "pid_$1=$!"
	pids="$pids $!"
}
kill_node() {
	eval "dying=\$pid_$1"
	kill -KILL "$dying"
	wait "$dying" 2>/dev/null
}
up() { "$muses" -c "$1.sock" status | grep -q '^link .*: up '; }

# ---- ssh ------------------------------------------------------------------------
sshd=$(command -v sshd || echo /usr/sbin/sshd)
ssh_options="-i user.key -o BatchMode=yes -o StrictHostKeyChecking=no
	-o UserKnownHostsFile=known -o LogLevel=ERROR -F none"
# As root, sshd wants a folder that only its package's service makes: it gets one that
# nobody else sees.
own_run() {
	if [ "$(id -u)" -ne 0 ] || [ -d /run/sshd ]; then
		exec "$@"
	fi
	exec unshare --mount sh -c 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' \
		sh "$@"
}
ssh_works() { command -v ssh >/dev/null && [ -x "$sshd" ] && (own_run true) 2>/dev/null; }
start_sshd() { # PORT
	ssh-keygen -q -t ed25519 -N '' -f host.key
	ssh-keygen -q -t ed25519 -N '' -f user.key
	cp user.key.pub authorized
	cat >sshd.conf <<-END
		ListenAddress 127.0.0.1
		Port $1
		HostKey $work/host.key
		AuthorizedKeysFile $work/authorized
		PidFile none
		UsePAM no
		StrictModes no
		PasswordAuthentication no
		PermitRootLogin prohibit-password
	END
	own_run "$sshd" -D -e -f sshd.conf 2>sshd.log &
	pids="$pids $!"
	await 100 grep -q listening sshd.log
}

#!/bin/bash
# What `make run` does once all is built: three real guests, in both vhost-user modes, talk through the
# switch, one of them is cut off, as it gives itself away over SMB, and the others go on; and it leaves
# nothing behind, whether it ends, is interrupted or fails.
# Runs alone: guests in software emulation keep both cores busy.
. "$(dirname "$0")/lib.bash"

QUICKSTART=$TESTS/quickstart.sh
GUEST_IMAGE=$VSWITCH_BUILD/guest
export TMPDIR=$RUN/tmp

# Its files and sockets are in TMPDIR, and the path is in the command line of all that it starts.
nothing_runs() { ! grep -qasF "$TMPDIR/" /proc/[0-9]*/cmdline; }
nothing_left() { nothing_runs && [ -z "$(ls -A "$TMPDIR")" ]; }
assert_nothing_left() { wait_for 10 nothing_left; }
last_guest_runs() { compgen -G "$TMPDIR/*/vm3.qmp"; }

test_cleanup() {
	local pid
	for pid in $(grep -lasF "$TMPDIR/" /proc/[0-9]*/cmdline | cut -d/ -f3); do
		kill -9 "$pid" 2>/dev/null
	done
}

says() { grep -q "$1" "$RUN/out" || fail "no '$1' in: $(cat "$RUN/out")"; }

spawn() {
	"$QUICKSTART" "$1" >"$RUN/out" 2>&1 </dev/null &
	PID=$!
	PIDS+=("$PID")
}

mkdir "$TMPDIR"

note "a whole run"
"$QUICKSTART" "$VSWITCH_BUILD" >"$RUN/out" 2>&1 </dev/null || fail "exit $?: $(cat "$RUN/out")"
cat "$RUN/out"
[ "$(grep -c ' 0% packet loss' "$RUN/out")" = 2 ] || fail "packets were lost"
says 'sent bytes=100000000 digest='
says '^vm1 .*queues enabled'
says '^vm2 .*queues enabled'
says '^in  *allow .*group desktops'
says '^verdict  *pass'
says 'vm1: copied notes.txt, 16 bytes'
says 'vm1: smb: create: Connection reset by peer'
says '^vm1  *local  *office  *acme  *port  .* 1:9000001:1 '
says ' quarantine  *port=vm1 .*reason=quick start'
says 'vm1: .* 100% packet loss'
says 'vm3: sent bytes=[0-9]* digest='
says 'quarantine release vm1'
says 'What next'
says 'vswitch-ctl block tcp/'
assert_nothing_left

note "interrupted while guests boot"
spawn "$VSWITCH_BUILD"
wait_for 60 last_guest_runs
kill -TERM "$PID"
wait "$PID"
[ $? = 143 ] || fail "exit code after SIGTERM"
assert_nothing_left

note "killed: its guests and the switch end with it"
spawn "$VSWITCH_BUILD"
wait_for 60 last_guest_runs
kill -9 "$PID"
wait "$PID" 2>/dev/null
wait_for 10 nothing_runs
rm -rf "${TMPDIR:?}"/* # no one is left to do this

note "a switch that does not start"
mkdir "$RUN/broken"
ln -s "$GUEST_IMAGE" "$VSWITCH_BUILD/vswitch-ctl" "$RUN/broken/"
printf '#!/bin/sh\necho "no core for me" >&2\nexit 1\n' >"$RUN/broken/vswitchd"
chmod +x "$RUN/broken/vswitchd"
"$QUICKSTART" "$RUN/broken" >"$RUN/out" 2>&1 </dev/null
[ $? = 1 ] || fail "exit code where the switch does not start"
says '^FAILED: vswitchd on'
says 'no core for me'
assert_nothing_left

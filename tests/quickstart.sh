#!/bin/bash
# quickstart.sh BUILD: what `make run` does once everything is built. Starts vswitchd on
# dataplane/quickstart.yaml, boots two guests, has them ping and move 100 MB over TCP, and says what
# to type next. On a terminal it then stays until Ctrl-C, otherwise it ends. Whatever happens, all it
# has started ends with it, and all its files are in one directory that goes with it.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
case $build in
/*) ;;
*) build=$PWD/$build ;;
esac
GUEST_IMAGE=$build/guest
switch_pid=
waiting_for=
interrupted= # the exit code that a signal asks for
step=
run=
stay=
[ -t 0 ] && [ -t 1 ] && stay=1

. tests/guest/guest.sh

ctl() { "$build/vswitch-ctl" -s "$socket" "$@"; }

# Waits for a command in the background, so that Ctrl-C need not wait for it. The trap only takes a note
# and the exit happens here: bash can hang in a later wait when a trap has left this one by exit.
await() {
	local status
	"$@" </dev/null &
	waiting_for=$!
	wait "$waiting_for"
	status=$?
	[ -z "$interrupted" ] || exit "$interrupted"
	waiting_for=
	return "$status"
}

switch_runs() { guest_state "$switch_pid"; }
waited_for_ended() { ! guest_state "$waiting_for"; }
switch_ended() { ! switch_runs; }
switch_answers() { ctl status >/dev/null 2>&1; }
switch_answers_or_ended() { switch_answers || switch_ended; }

switch_stop() {
	[ -n "$switch_pid" ] || return
	kill "$switch_pid" 2>/dev/null
	guest_poll 10 switch_ended || kill -9 "$switch_pid" 2>/dev/null
}

cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	if [ -n "$waiting_for" ]; then
		# The group is there where the command was started with setsid.
		kill -- "-$waiting_for" 2>/dev/null || kill "$waiting_for" 2>/dev/null
	fi
	[ -z "$run" ] || guest_cleanup
	switch_stop
	[ -z "$waiting_for" ] || guest_poll 10 waited_for_ended || kill -9 "$waiting_for"
	[ -z "$run" ] || rm -rf "$run"
	exit "$status"
}
trap cleanup EXIT
trap 'interrupted=130' INT
trap 'interrupted=143' TERM
trap 'interrupted=129' HUP
run=$(mktemp -d "${TMPDIR:-/tmp}/vswitch-run.XXXXXX") || exit 1
GUEST_DIR=$run
socket=$run/ctl.sock

begin() {
	[ -z "$interrupted" ] || exit "$interrupted"
	step=$1
	printf '%3d s  %s\n' "$SECONDS" "$step"
}

failed() {
	[ -z "$interrupted" ] || exit "$interrupted"
	echo
	echo "FAILED: $step"
	tail -n 10 "$run/out" 2>/dev/null | sed 's/^/    /'
	for name in vm1 vm2; do
		guest_log "$name"
	done
	echo "    vswitchd's last lines:"
	tail -n 20 "$run/vswitchd.log" 2>/dev/null | sed 's/^/    /'
	if switch_runs; then
		ctl port list 2>&1 | sed 's/^/    /'
	else
		echo "    vswitchd is not running"
	fi
	exit 1
}

# The last of the cores that this shell may run on.
last_core() { sed -n 's/^Cpus_allowed_list:\t\(.*[-,]\)\?\([0-9]*\)$/\2/p' /proc/self/status; }

begin "guest image in $GUEST_IMAGE"
await setsid tests/guest/build-image.sh "$GUEST_IMAGE" || failed

begin "vswitchd on dataplane/quickstart.yaml"
sed -e "s|/run/vswitch/\(guests/\)\?|$run/|; s|/var/log/vswitch/|$run/|; s|/var/lib/vswitch|$run/state|" \
	-e "s|^\(  workers:\) \[.*\]|\1 [$(last_core)]|" dataplane/quickstart.yaml >"$run/vswitch.yaml"
setsid setpriv --pdeathsig TERM "$build/vswitchd" -c "$run/vswitch.yaml" >"$run/vswitchd.log" 2>&1 &
switch_pid=$!
await guest_poll 20 switch_answers_or_ended || failed
switch_runs || failed

case $(guest_accel) in
kvm) begin "two guests boot (QEMU with KVM)" ;;
*) begin "two guests boot (QEMU, software emulation)" ;;
esac
guest_start vm1 "$run/vm1.sock" server 02:00:00:00:00:01 10.0.0.1 || failed
guest_start vm2 "$run/vm2.sock" client 02:00:00:00:00:02 10.0.0.2 || failed
await guest_wait_up vm1 || failed
await guest_wait_up vm2 || failed

begin "ping, both ways"
await guest_run vm1 'ping -c 3 -i 0.2 10.0.0.2' >"$run/out" || failed
await guest_run vm2 'ping -c 3 -i 0.2 10.0.0.1' >>"$run/out" || failed
grep loss "$run/out" | sed 's/^/       /'

begin "100 MB over TCP from vm1 to vm2, digest checked at both ends"
await guest_run vm1 'xfer send 10.0.0.2 5001 100M' 120 >"$run/out" || failed
sed 's/^/       /' "$run/out"

begin "vswitch-ctl port list"
echo
ctl port list || failed
echo
begin "vswitch-ctl explain tcp/5001 --from vm1 --to 10.0.0.2"
echo
ctl explain tcp/5001 --from vm1 --to 10.0.0.2 || failed
printf '\n%3d s  all well\n\n' "$SECONDS"

if [ -z "$stay" ]; then
	cat <<-END
		What next:
		    make run                        on a terminal: the same, and it stays up to be asked
		    $build/vswitchd -c dataplane/quickstart.yaml
		                                    the switch alone, for guests of your own (README.md)
		    $build/vswitch-ctl block tcp/445
		                                    asks that switch to shut a service between all guests
		    $build/vswitch-ctl help
	END
	exit 0
fi
cat <<-END
	Both guests and the switch stay up until Ctrl-C. In another terminal:

	    alias ctl='$build/vswitch-ctl -s $socket'
	    alias vm1='$GUEST_IMAGE/guestctl run $run/vm1.serial 60'

	    ctl status
	    ctl port show vm1
	    ctl fdb show                    the MAC table
	    ctl conn list                   connections, and the rules that let them pass
	    vm1 'xfer send 10.0.0.2 5001 1000M'

	    ctl block tcp/5001              shut it between all guests, now: the transfer above stops
	    ctl explain tcp/5001 --from vm1 --to 10.0.0.2
	    ctl unblock tcp/5001            and it goes on
	    ctl drops                       every dropped packet has a reason
	    ctl rule list desktops          what the guests may do otherwise
	    ctl help

END
trap 'interrupted=0' INT TERM HUP
wait "$switch_pid"
[ -z "$interrupted" ] || exit "$interrupted"
step="vswitchd ended"
failed

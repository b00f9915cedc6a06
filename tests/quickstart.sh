#!/bin/bash
# quickstart.sh BUILD: what `make run` does once everything is built. Starts vswitchd on
# dataplane/quickstart.yaml, boots three guests, has them ping and move 100 MB over TCP, lets one give
# itself away over SMB while the others go on, and says what to type next. On a terminal it then stays
# until Ctrl-C, otherwise it ends. Whatever happens, all it has started ends with it, and all its files
# are in one directory that goes with it.
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
	for name in vm1 vm2 vm3; do
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
# The guests take time from the worker, so it is no measure of what a packet costs.
sed -e "s|/run/vswitch/\(guests/\)\?|$run/|; s|/var/log/vswitch/|$run/|; s|/var/lib/vswitch|$run/state|" \
	-e "s|^\(  workers:\) \[.*\]|\1 [$(last_core)]|" \
	-e "s|^\(    rules:\) \[\].*|\1 [$PWD/rules/smb.rules, $PWD/dataplane/quickstart.rules]|" \
	-e '$a\    budget: {packet: 1s, port: 100, tenant: 100}' dataplane/quickstart.yaml >"$run/vswitch.yaml"
setsid setpriv --pdeathsig TERM "$build/vswitchd" -c "$run/vswitch.yaml" >"$run/vswitchd.log" 2>&1 &
switch_pid=$!
await guest_poll 20 switch_answers_or_ended || failed
switch_runs || failed

case $(guest_accel) in
kvm) begin "three guests boot (QEMU with KVM)" ;;
*) begin "three guests boot (QEMU, software emulation)" ;;
esac
guest_start vm1 "$run/vm1.sock" server 02:00:00:00:00:01 10.0.0.1 || failed
guest_start vm2 "$run/vm2.sock" client 02:00:00:00:00:02 10.0.0.2 || failed
guest_start vm3 "$run/vm3.sock" server 02:00:00:00:00:03 10.0.0.3 || failed
for name in vm1 vm2 vm3; do
	await guest_wait_up "$name" || failed
done

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
echo

# guest NAME COMMAND: what it says is kept for show.
guest() { await guest_run "$1" "$2" >"$run/out" 2>&1; }
show() { sed "s/^/       $1: /" "$run/out"; }
quarantined() { ctl quarantine list | grep -q '^vm1 .*9000001'; }

begin "vm2 shares a directory, and vm1 copies an ordinary file to it over SMB"
await guest_spawn vm2 share 'mkdir /tmp/share; smb serve /tmp/share' ready || failed
guest vm1 'echo "nothing special" >/tmp/notes.txt; smb copy /tmp/notes.txt 10.0.0.2' || failed
show vm1

begin "vm3 sends to vm2 over TCP; meanwhile vm1 copies a file with the harmless marker's name"
await guest_spawn vm3 transfer \
	'xfer send 10.0.0.2 5001 1000000M & echo $! >/tmp/transfer.pid; wait $!' || failed
guest vm3 'until netstat -tn | grep -q ":5001 .*ESTABLISHED"; do sleep 0.1; done' || failed
guest vm1 'echo harmless >/tmp/vswitch-marker.txt; smb copy /tmp/vswitch-marker.txt 10.0.0.2' && failed
show vm1
await guest_poll 10 quarantined || failed
guest vm2 '[ -e /tmp/share/notes.txt ] && [ ! -e /tmp/share/vswitch-marker.txt ]' || failed

begin "vswitch-ctl quarantine list"
echo
ctl quarantine list || failed
echo
begin "vswitch-ctl events --type quarantine"
echo
ctl events --type quarantine || failed
echo

begin "vm1 reaches nobody any more; vm3's transfer went on, digest checked at both ends"
guest vm1 'ping -c 2 -i 0.2 -W 1 10.0.0.2' && failed
grep loss "$run/out" | sed 's/^/       vm1: /'
guest vm3 'kill -USR1 $(cat /tmp/transfer.pid)' || failed
await guest_join vm3 transfer >"$run/out" || failed
show vm3
printf '\n%3d s  all well\n\n' "$SECONDS"

if [ -z "$stay" ]; then
	cat <<-END
		What next:
		    make run                        on a terminal: the same, and it stays up to be asked
		    $build/vswitchd -c dataplane/quickstart.yaml
		                                    the switch alone, for guests of your own (README.md)
		    $build/vswitch-ctl quarantine release vm1
		                                    asks that switch to let a guest back in
		    $build/vswitch-ctl block tcp/445
		                                    ... to shut a service between all guests
		    $build/vswitch-ctl help
	END
	exit 0
fi
cat <<-END
	The guests and the switch stay up until Ctrl-C. In another terminal:

	    alias ctl='$build/vswitch-ctl -s $socket'
	    alias vm1='$GUEST_IMAGE/guestctl run $run/vm1.serial 60'

	    ctl quarantine show vm1         why it is cut off, and where the evidence is
	    ctl drops                       every dropped packet has a reason
	    ctl quarantine release vm1      let it back in
	    vm1 'smb copy /tmp/notes.txt 10.0.0.2'
	    vm1 'smb copy /tmp/vswitch-marker.txt 10.0.0.2'
	                                    and it is out again
	    ctl rules list                  what the guests' SMB is held against
	    ctl events --follow             what happens, as it happens

	    ctl status
	    ctl port show vm3
	    ctl fdb show                    the MAC table
	    ctl conn list                   connections, and the rules that let them pass
	    ctl block tcp/5001              shut it between all guests, now
	    ctl explain tcp/5001 --from vm3 --to 10.0.0.2
	    ctl unblock tcp/5001
	    ctl rule list desktops          what the guests may do otherwise
	    ctl help

END
trap 'interrupted=0' INT TERM HUP
wait "$switch_pid"
[ -z "$interrupted" ] || exit "$interrupted"
step="vswitchd ended"
failed

# What system tests share: a private run directory, a vswitchd of their own, namespaces, waiting for
# conditions. Source it first; it cleans up when the test ends, however that is.
#
# Programs come from $VSWITCH_BUILD. Nothing here sleeps for a fixed time to let things happen:
# wait_for polls a condition and fails the test when it does not come true.

set -u
: "${VSWITCH_BUILD:?run me through make test, or set VSWITCH_BUILD to the build directory}"
TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RUN=$(mktemp -d "${TMPDIR:-/tmp}/vswitch-test.XXXXXX") || exit 1
SOCK=$RUN/ctl.sock
SWITCH_PID=
NAMESPACES=()
PIDS=() # of what the test started itself and has not waited for
exec 3>&1 # what a failure says is seen, although wait_for hides what its command says

fail() {
	echo "FAILED: $*" >&3
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

note() { echo "-- $*"; }

cleanup() {
	local status=$?
	trap - EXIT
	exec >&3 2>&1
	if [ "$status" != 0 ] && [ "$status" != 77 ]; then
		echo "-- last lines of vswitchd's log:"
		tail -n 40 "$RUN/vswitchd.log" 2>/dev/null
		[ -n "$SWITCH_PID" ] && ctl port list 2>/dev/null && ctl drops 2>/dev/null
	fi
	declare -F test_cleanup >/dev/null && test_cleanup
	for pid in "${PIDS[@]}"; do
		kill -9 "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	switch_stop_quietly
	for ns in "${NAMESPACES[@]}"; do
		# What programs there have forked is nobody's child any more.
		ip netns pids "$ns" 2>/dev/null | xargs -r kill -9 2>/dev/null
		ip netns del "$ns" 2>/dev/null
	done
	rm -rf "$RUN"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || fail "timed out waiting for: $*"
		sleep 0.05
	done
}

ctl() { "$VSWITCH_BUILD/vswitch-ctl" -s "$SOCK" "$@"; }

# The configuration's `vswitch:` section for this test; workers default to the last core.
vswitch_section() {
	cat <<-END
		vswitch:
		  workers: [${1:-$(($(nproc) - 1))}]
		  control: $SOCK
		  state: $RUN/state
		  events: $RUN/eve.json
		  hugepages: no
		  buffers: ${BUFFERS:-16384}
		  connections: ${CONNECTIONS:-262144}
	END
}

# switch_spawn: starts vswitchd on $RUN/vswitch.yaml; returns when it answers.
switch_spawn() {
	"${VSWITCHD:-$VSWITCH_BUILD/vswitchd}" -c "$RUN/vswitch.yaml" >>"$RUN/vswitchd.log" 2>&1 &
	SWITCH_PID=$!
	wait_for 20 switch_answers
}

switch_answers() {
	kill -0 "$SWITCH_PID" 2>/dev/null || fail "vswitchd ended: $(tail -n 5 "$RUN/vswitchd.log")"
	ctl status
}

# switch_start: the configuration's networks and ports on standard input.
switch_start() {
	{
		vswitch_section "${WORKERS:-}"
		cat
	} >"$RUN/vswitch.yaml"
	switch_spawn
	[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
}

switch_stop_quietly() {
	[ -n "$SWITCH_PID" ] || return 0
	kill "$SWITCH_PID" 2>/dev/null
	local until=$((SECONDS + 10))
	while kill -0 "$SWITCH_PID" 2>/dev/null && [ "$SECONDS" -lt "$until" ]; do
		sleep 0.05
	done
	kill -9 "$SWITCH_PID" 2>/dev/null
	wait "$SWITCH_PID" 2>/dev/null
	SWITCH_PID=
}

# Stops vswitchd and holds it to a clean end.
switch_stop() {
	kill "$SWITCH_PID"
	wait "$SWITCH_PID"
	local status=$?
	SWITCH_PID=
	[ "$status" = 0 ] || fail "vswitchd ended with $status on SIGTERM"
}

switch_kill() {
	kill -9 "$SWITCH_PID"
	wait "$SWITCH_PID" 2>/dev/null
	SWITCH_PID=
}

ledger_adds_up() {
	ctl stats -j | jq -e '.ledger.adds_up and all(.ports[];
		.received == .delivered + .consumed + .dropped and
		.offered == .sent + .dropped_out)'
}

# Every system test ends with this: nothing was lost without a reason.
assert_ledger() {
	local until=$((SECONDS + 5))
	until ledger_adds_up >/dev/null; do
		[ "$SECONDS" -lt "$until" ] || fail "the ledger does not add up: $(ctl stats -j)"
		sleep 0.05
	done
}

# ns_add NAME: a namespace of this test; ns NAME gives its real name, in_ns NAME runs a command.
ns() { echo "vt$$-$1"; }
ns_add() {
	ip netns add "$(ns "$1")" || skip "cannot make network namespaces (run as root)"
	NAMESPACES+=("$(ns "$1")")
	ip -n "$(ns "$1")" link set lo up
	# No router solicitations or duplicate address detection in the middle of a count.
	in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
}
in_ns() {
	local name=$1
	shift
	ip netns exec "$(ns "$name")" "$@"
}

# port_field PORT JQ-EXPRESSION
port_field() { ctl port show "$1" -j | jq -r "$2"; }
drops_of() { ctl drops "$1" -j | jq "[.[] | select(.reason == \"$2\") | .packets] | add // 0"; }

# spawn_ns NAME COMMAND...: in the background; its process is $SPAWNED, and the test's to end.
spawn_ns() {
	local name=$1
	shift
	ip netns exec "$(ns "$name")" "$@" &
	SPAWNED=$!
	PIDS+=("$SPAWNED")
}

# ns_quiet NAME...: namespaces whose kernel says nothing of its own accord, for exact counts.
ns_quiet() {
	local name
	for name in "$@"; do
		ns_add "$name"
		in_ns "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
			net.ipv6.conf.default.disable_ipv6=1
	done
}

# policy_of FIELDS: what a port needs beside FIELDS so that others reach it. Most tests are of
# something else than the firewall, so their ports let everybody in unless FIELDS say whom.
policy_of() {
	[[ $1 =~ groups:|default-in:|trusted: ]] || echo ", default-in: allow"
}

# port_yaml NAME NETWORK [FIELDS]: a kernel port whose interface is net0 in the namespace NAME.
port_yaml() {
	echo "  - {name: $1, network: $2, kernel: {interface: net0, netns: $(ns "$1")}${3:+, $3}$(policy_of "${3:-}")}"
}

ping_ok() {
	local name=$1
	shift
	in_ns "$name" ping -q -c 2 -i 0.05 -W 3 "$@" >"$RUN/ping" 2>&1 ||
		fail "ping $* from $name: $(cat "$RUN/ping")"
}

# forget NAME...: a kernel that has just asked in vain for a neighbour does not ask again at once.
forget() {
	local name
	for name in "$@"; do ip -n "$(ns "$name")" neigh flush dev net0; done
}

ping_fails() {
	local name=$1
	shift
	! in_ns "$name" ping -q -c 2 -i 0.05 -W 1 "$@" >/dev/null 2>&1 ||
		fail "ping $* from $name was answered"
}

# Raw frames, each of a type of its own so that nothing else counts as one.
FRAMES=$VSWITCH_BUILD/tests/tools/frames
TYPE=88b5
MARK=88b6
# For the networks of tests that send such frames: they are on no list otherwise.
TYPES="ethertypes: [arp, ipv4, ipv6, rarp, 0x$TYPE, 0x$MARK]"
BROADCAST=ffffffffffff

# frame DESTINATION SOURCE [TYPE [PAYLOAD]]: in hex, filled up to 60 bytes.
frame() {
	local hex=$1$2${3:-$TYPE}${4:-}
	while [ ${#hex} -lt 120 ]; do hex+=00; done
	echo "$hex"
}

# mac_of N: 02:00:00:00:00:N in hex digits
mac_of() { printf '0200000000%02x' "$1"; }

# send NAME FRAME [COUNT [PER-SECOND [SOURCES]]]: on net0 of the namespace.
send() {
	local name=$1
	shift
	# What its queue can't hold while the switch is kept waiting, the tap device loses silently.
	[ "${2:-1}" -lt 100 ] || ip -n "$(ns "$name")" link set net0 txqueuelen 10000
	in_ns "$name" "$FRAMES" send net0 "$@" || fail "cannot send from $name"
}

# watch NAME...: begins to note what comes in at net0; then seen NAME counts it.
declare -A WATCHERS=()
watch() {
	local name
	for name in "$@"; do
		: >"$RUN/watch.$name"
		spawn_ns "$name" "$FRAMES" watch net0 "$MARK" 60 >"$RUN/watch.$name"
		WATCHERS[$name]=$SPAWNED
	done
	for name in "$@"; do
		wait_for 10 grep -qx ready "$RUN/watch.$name"
	done
}

# watched FROM NAME...: ends the watches by a frame that FROM broadcasts, behind all that was sent.
watched() {
	local from=$1 name mac
	shift
	mac=$(port_field "$from" '.mac // "02:ff:ff:ff:ff:01"')
	send "$from" "$(frame $BROADCAST "${mac//:/}" $MARK)"
	for name in "$@"; do
		wait "${WATCHERS[$name]}" || fail "the frame that ends the watch did not reach $name"
	done
}

# seen NAME [PATTERN]: how many frames of type $TYPE, or that match PATTERN, came in.
OF_TYPE="^.\{24\}$TYPE"
seen() { grep -c "${2:-$OF_TYPE}" "$RUN/watch.$1" || true; }

assert_seen() {
	[ "$(seen "$1" "${3:-}")" = "$2" ] || fail "$1 got $(seen "$1" "${3:-}") frames, not $2"
}

received() { ctl stats "$1" -j | jq '.ports[0].received'; }
has_received() { [ "$(received "$1")" -ge "$2" ]; }

# settled PORT COUNT: until the port has received so many packets and they are accounted for.
settled() {
	wait_for 10 has_received "$1" "$2"
	wait_for 10 ledger_adds_up
}

assert_drops() {
	[ "$(drops_of "$1" "$2")" = "$3" ] || fail "$1 dropped $(drops_of "$1" "$2") as $2, not $3"
}

# refused COMMAND...: vswitch-ctl ends with 3; what it said is in $RUN/refused.
refused() {
	local status=0
	ctl "$@" >"$RUN/refused" 2>&1 || status=$?
	[ "$status" = 3 ] || fail "exit $status instead of 3: $*: $(cat "$RUN/refused")"
}

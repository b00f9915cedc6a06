# What the comparison shares (peers.sh): a private directory, hugepages taken and given back, the load
# generator, measurements as lines of JSON. Source it first; it cleans up however the run ends.
set -u
BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${BUILD:-build}
RUN=$(mktemp -d "${TMPDIR:-/tmp}/vswitch-peers.XXXXXX") || exit 1
SWITCH_CORE=0
GENERATOR_CORE=1
PAGES=${PAGES:-2304} # of 2 MiB: of a switch with room for four million connections, and the generator
WARMUP=1             # seconds of each measurement that do not count
# Emerging Threats' rules for SMB, where they are; else those that come with the switch.
ET_RULES=$BENCH/../../shared/rules/et-open-20210820-smb-subset.rules
SMB_RULES=${SMB_RULES:-$([ -r "$ET_RULES" ] && echo "$ET_RULES" || echo "$BENCH/../rules/smb.rules")}
pages_taken=0 # to be given back
GUESTS=   # more fields of the generator's ports, such as ,server=1 for a peer that connects
running=  # the peer that is up
PIDS=()   # of what has to end with it
exec 3>&1 # for what has to be seen

say() { echo "$*" >&3; }

fail() {
	say "peers.sh: $*"
	tail -n 8 "$RUN"/*.log >&3 2>/dev/null
	exit 1
}

finish() {
	local status=$?
	trap - EXIT
	stop
	[ "$pages_taken" = 0 ] || sysctl -qw vm.nr_hugepages=$(($(sysctl -n vm.nr_hugepages) - pages_taken))
	rm -rf "$RUN"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# wait_for SECONDS COMMAND...: false when the command did not succeed in time.
wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

# Hugepages for as long as this runs. False, with the reason in a line: not to be had.
take_hugepages() {
	local before free
	before=$(sysctl -n vm.nr_hugepages 2>/dev/null) || {
		say "skipped: no hugepages in this kernel"
		return 1
	}
	sysctl -qw vm.nr_hugepages=$((before + PAGES)) 2>/dev/null
	pages_taken=$(($(sysctl -n vm.nr_hugepages) - before))
	free=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 2>/dev/null || echo 0)
	[ "$free" -ge "$PAGES" ] || {
		say "skipped: $free hugepages of 2 MiB free, $PAGES needed (as root)"
		return 1
	}
}

# A hypervisor moves its virtual CPUs about, and the time that a cache line takes between two of them goes
# up by a factor of five and more, for seconds: what comes out then says where they were. Waits until
# both are about as near each other as they have been; for some seconds, and then takes them as they are.
NEAREST= # nanoseconds there and back, the least so far
DISTANCE=null # before the run at hand
LOOKED= # around, whether it goes up and down
await_near_cores() {
	local tries=24 try
	[ -z "${QUICK:-}" ] || tries=6
	[ -x "$BUILD/bench/core_distance" ] || return 0
	for ((try = 0; try < tries; try++)); do
		DISTANCE=$("$BUILD/bench/core_distance" $SWITCH_CORE $GENERATOR_CORE) || { DISTANCE=null && return; }
		[ -n "$NEAREST" ] && [ "$DISTANCE" -ge "$NEAREST" ] || NEAREST=$DISTANCE
		# The first time there is nothing to compare it with.
		[ -n "$LOOKED" ] || [ "$try" -ge $((tries / 2)) ] || { sleep 0.4 && continue; }
		[ $((DISTANCE * 2)) -gt $((NEAREST * 3)) ] || break
		sleep 0.4
	done
	LOOKED=yes
}

# start PEER:CASE [FLOWS]: the one and only; its ports are $RUN/vm1.sock and $RUN/vm2.sock.
start() {
	stop
	GUESTS=
	running=${1%%:*}
	rm -f "$RUN"/vm*.sock
	await_near_cores
	"${running}_start" "${1#*:}" "${2:-1}" || { say "$1 does not start: $(tail -n 3 "$RUN/$running.log")"; return 1; }
}

stop() {
	local pid
	[ -z "$running" ] || "${running}_stop"
	running=
	for pid in "${PIDS[@]}"; do end "$pid"; done
	PIDS=()
}

# end PID: asks it to, and insists after ten seconds.
end() {
	kill "$1" 2>/dev/null
	wait_for 10 gone "$1" || kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}
gone() { ! kill -0 "$1"; }

# generate OPTION...: the load generator between the first two ports; its result is on standard output.
generate() {
	${PRECEDENCE:+nice -n "$PRECEDENCE"} timeout 180 "$BUILD/vswitch-pktgen" --huge --core $GENERATOR_CORE --wait 20 -j \
		-p "$RUN/vm1.sock$GUESTS" -p "$RUN/vm2.sock$GUESTS" "$@" 2>"$RUN/pktgen.log"
}

# The rules of SMB_RULES, but for those that do not load here: neither of two that are compared gets them.
loadable_rules() {
	"$BUILD/vswitch-ctl" -j rules check "$SMB_RULES" >"$RUN/check"
	jq -r '.refused[] | "\(.line)d"' "$RUN/check" >"$RUN/refused.sed" || return 1
	sed -f "$RUN/refused.sed" "$SMB_RULES"
}

# flows_of OPTION...: what -f says.
flows_of() {
	while [ $# -gt 1 ]; do
		[ "$1" != -f ] || { echo "$2"; return; }
		shift
	done
	echo 1
}

# record ROW VARIANT ROUND RESULT JQ: a measurement, of what JQ takes out of the generator's result.
record() {
	local own
	own=$("${running}_cycles" 2>/dev/null)
	jq -c --arg row "$1" --arg variant "$2" --argjson round "$3" --argjson own "${own:-null}" \
		"{row: \$row, variant: \$variant, round: \$round, value: ($5),
		cycles: (if .all.received_pps > 0 then .generator.tsc_hz / .all.received_pps else null end),
		own_cycles: \$own, distance_ns: $DISTANCE, headroom: .generator.headroom, limit: .generator.limit,
		loss: .loss}" "$4" >>"$RUN/measured" || say "$1: no figures of $2"
}

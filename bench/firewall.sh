#!/bin/bash
# firewall.sh BUILD [SECONDS]: what established traffic between two guests costs through a running
# vswitchd, with the firewall off and on: packets a second, and CPU cycles per packet and stage of its
# worker. The guests are DPDK's testpmd with two virtio-user ports, which sends back all that it gets.
# The switch has core 0, the guests core 1. Five runs of SECONDS (1) each.
#
# It takes hugepages for as long as it runs. Where it cannot, it says so in a line, and exits with 0.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build} seconds=${2:-1}
RUNS=5
PAGES=512 # of 2 MiB, for both programs
pages_before=
switch_pid=
testpmd_pid=
run=$(mktemp -d "${TMPDIR:-/tmp}/vswitch-bench.XXXXXX") || exit 1

finish() {
	local status=$?
	trap - EXIT
	testpmd_stop
	[ -z "$switch_pid" ] || { kill "$switch_pid" && wait "$switch_pid"; } 2>/dev/null
	[ -z "$pages_before" ] || sysctl -qw vm.nr_hugepages="$pages_before"
	rm -rf "$run"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

skip() {
	echo "guests on vhost-user: skipped: $*"
	exit 0
}

fail() {
	echo "firewall.sh: $*" >&2
	tail -n 10 "$run"/*.log >&2
	exit 1
}

ctl() { "$build/vswitch-ctl" -s "$run/ctl.sock" "$@"; }

# wait_for SECONDS COMMAND...
wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || fail "timed out waiting for: $*"
		sleep 0.05
	done
}

# rules COUNT: all but the last are of something else.
rules() {
	echo "groups:
  - name: rules
    tenant: bench
    rules:"
	seq 0 $(($1 - 2)) | awk '{ printf "      - {direction: in, protocol: tcp, ports: %d, " \
		"remote: 10.%d.%d.0/24, action: allow}\n", 1 + $1 % 1000, 1 + $1 / 250, $1 % 250 }'
	echo "      - {direction: in, protocol: udp, remote: 198.18.0.0/16, action: allow}"
}

# configuration RULES: 0 is the firewall off.
configuration() {
	local n policy="trusted: yes"
	[ "$1" = 0 ] || policy="groups: [rules]"
	echo "vswitch: {workers: [0], control: $run/ctl.sock, state: $run/state, sleep-after: 0us}
networks: [{name: bench, tenant: bench}]"
	[ "$1" = 0 ] || rules "$1"
	echo "ports:"
	# The senders' addresses vary, and each guest's are the other's when they come back.
	for n in 1 2; do
		echo "  - {name: vm$n, network: bench, mac: 02:00:00:00:00:0$n, ips: [198.19.0.$n]," \
			"pairs: [{ip: 198.18.0.0/16}]," \
			"vhost-user: {socket: $run/vm$n.sock, mode: server}, $policy}"
	done
}

testpmd_stop() {
	[ -n "$testpmd_pid" ] || return 0
	kill "$testpmd_pid" 2>/dev/null
	wait "$testpmd_pid" 2>/dev/null
	testpmd_pid=
}

guests_there() { [ "$(ctl status -j | jq .ports_up)" = 2 ]; }
traffic_flows() { [ "$(ctl worker stats -j | jq '.[0].stages[0].packets')" -gt 100000 ]; }

# testpmd_start OPTION...: 512 packets of each port are under way from then on.
testpmd_start() {
	local n vdevs=()
	for n in 1 2; do
		vdevs+=(--vdev "net_virtio_user$n,path=$run/vm$n.sock,mac=02:00:00:00:00:0$n,queue_size=1024,in_order=0")
	done
	mkfifo "$run/testpmd.in"
	dpdk-testpmd --lcores 1@1,2@1 --main-lcore 2 --no-pci --in-memory --single-file-segments \
		--no-telemetry "${vdevs[@]}" -- -i --port-topology=loop --forward-mode=5tswap \
		--total-num-mbufs=16384 --eth-peer=0,02:00:00:00:00:02 --eth-peer=1,02:00:00:00:00:01 \
		--tx-ip=198.18.0.1,198.18.0.2 "$@" <"$run/testpmd.in" >"$run/testpmd.log" 2>&1 &
	testpmd_pid=$!
	exec 4>"$run/testpmd.in"
	rm "$run/testpmd.in"
	wait_for 30 guests_there
	ctl worker stats --reset >/dev/null
	echo "start tx_first 16" >&4
	wait_for 30 traffic_flows
}

# One run: cycles in all, packets a second in millions, and cycles by stage, all for each packet that came
# in: not every one goes through all stages.
measure() {
	local start
	ctl worker stats --reset >/dev/null
	start=$(date +%s%N)
	sleep "$seconds"
	ctl worker stats -j | jq -r --argjson ns $(($(date +%s%N) - start)) '.[0] as $w |
		($w.stages | map({(.stage): .}) | add) as $s |
		[$s.rx.packets * 1000 / $ns, ($s | (.rx, .shortcut, .parse, .firewall, .forward, .tx) |
			.packets * (.cycles_per_packet // 0) / $s.rx.packets)] |
		[(.[1:] | add)] + . | map(. * 100 | round / 100) | @tsv'
}

# The run in the middle, and the extremes.
report() {
	sort -n "$run/runs" | awk -v name="$1" -v flows="$2" -v middle=$((RUNS / 2 + 1)) '
		NR == 1 { least = $1 }
		NR == middle { line = $0 }
		{ most = $1 }
		END {
			$0 = line
			printf "%-25s %8d  %6.0f  %13s ", name, flows, $1, sprintf("%.0f..%.0f", least, most)
			printf " %6.0f %8.0f %6.0f %8.0f %8.0f %6.0f %7.2f\n", $3, $4, $5, $6, $7, $8, $2
		}'
}

# bench RULES NAME FLOWS
bench() {
	local i
	configuration "$1" >"$run/next.yaml"
	ctl config apply "$run/next.yaml" >"$run/apply.log" 2>&1 || fail "its configuration is refused"
	for ((i = 0; i <= RUNS; i++)); do measure; done | tail -n +2 >"$run/runs"
	report "$2" "$3"
	ctl drops -j | jq -e 'all(.[]; .stage == "out")' >/dev/null ||
		fail "not all of it passes: $(ctl drops)"
}

others() { awk -v cores="$(nproc)" '$1 > 0.3 * cores { print $1 }' /proc/loadavg; }

[ "$(id -u)" = 0 ] || skip "hugepages need root"
[ "$(nproc)" -ge 2 ] || skip "two cores needed"
command -v dpdk-testpmd >/dev/null || skip "no dpdk-testpmd: apt-get install dpdk"
pages_before=$(sysctl -n vm.nr_hugepages 2>/dev/null) || skip "no hugepages in this kernel"
sysctl -qw vm.nr_hugepages=$((pages_before + PAGES)) 2>/dev/null
free=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 2>/dev/null || echo 0)
[ "$free" -ge "$PAGES" ] || skip "$free hugepages of 2 MiB free, $PAGES needed"
load=$(others)
[ -z "$load" ] || echo "warning: other programs are at work (load $load): believe the minima"

configuration 0 >"$run/vswitch.yaml"
"$build/vswitchd" -c "$run/vswitch.yaml" >"$run/vswitchd.log" 2>&1 &
switch_pid=$!
wait_for 20 ctl status
printf '%-25s %8s  %6s  %13s  %6s %8s %6s %8s %8s %6s %7s\n' "cycles per packet" flows all min..max \
	rx shortcut parse firewall forward tx Mpps
for flows in 1 256; do
	several=()
	[ "$flows" = 1 ] || several=(--txonly-multi-flow)
	testpmd_start "${several[@]}"
	bench 0 "firewall off" $flows
	bench 20 "firewall on, 20 rules" $flows
	bench 10000 "firewall on, 10000 rules" $flows
	testpmd_stop
done

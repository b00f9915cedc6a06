#!/bin/bash
# Changes while packets flow: ports and networks come and go, queues and homes move between workers,
# and the pings of those that are not concerned lose nothing.
# Catalogue: 3 and 9 (others lose nothing), 44 (no blink), 75 (nothing grows), and issue items 5, 6.
WORKERS="0, $(($(nproc) - 1))"
[ "$(nproc)" -gt 1 ] || WORKERS=0
. "$(dirname "$0")/lib.bash"

ns_quiet a b other
switch_start <<END
networks:
  - {name: office}
  - {name: wide, workers: $([ "$(nproc)" -gt 1 ] && echo 2 || echo 1)}
  - {name: lab}
ports:
$(port_yaml a office)
$(port_yaml b office "mac: 02:00:00:00:00:02")
  - {name: w1, network: wide, kernel: {interface: net1, netns: $(ns a)}, default-in: allow}
  - {name: w2, network: wide, kernel: {interface: net1, netns: $(ns b)}, default-in: allow}
END
for n in 0 1; do
	ip -n "$(ns a)" address add 10.0.$n.1/24 dev net$n
	ip -n "$(ns b)" address add 10.0.$n.2/24 dev net$n
done
ping_ok a 10.0.0.2
ping_ok a 10.0.1.2

# Both pings run until they are told to end. Answers that are missing before the last one are lost.
flow_start() {
	for n in 0 1; do
		spawn_ns a ping -i 0.002 10.0.$n.2 >"$RUN/flow.$n"
		FLOWS[n]=$SPAWNED
	done
}
flow_stop() {
	local n last got
	for n in 0 1; do
		kill -INT "${FLOWS[n]}"
		wait "${FLOWS[n]}"
		sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$RUN/flow.$n" | sort -nu >"$RUN/answers"
		last=$(tail -n 1 "$RUN/answers") got=$(wc -l <"$RUN/answers")
		echo "   10.0.$n.2: $got of $last answered"
		[ "$got" -gt 100 ] && [ "$got" = "$last" ] || fail "packets were lost: $(tail -n 3 "$RUN/flow.$n")"
	done
}
declare -a FLOWS
descriptors() { find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l; }

note "200 changes of other ports and networks"
# The kernel forgets what it knows of neighbours when an interface is touched, and loses packets.
ip -n "$(ns b)" neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev net0 nud stale
ctl port add warm network=lab vhost-user.socket="$RUN/warm.sock"
ctl port del warm
fds=$(descriptors)
flow_start
for ((i = 0; i < 25; i++)); do
	ctl network add "n$i" mac-limit=16
	ctl port add "v$i" network="n$i" vhost-user.socket="$RUN/v$i.sock" vhost-user.mode=server
	ctl port add "k$i" network=lab kernel.interface=net9 kernel.netns="$(ns other)"
	ctl port set "k$i" isolated=true mac="02:00:00:00:09:$(printf %02x $i)"
	ctl port set "v$i" network=lab mtu=2000
	ctl port del "k$i"
	ctl port del "v$i"
	ctl network del "n$i"
done >"$RUN/changes"
flow_stop
ip -n "$(ns b)" neigh show 10.0.0.77 | grep -q 02:00:00:00:00:77 || fail "b's interface was touched"
[ "$(grep -c applied "$RUN/changes")" = 200 ] || fail "not all were applied: $(tail -n 5 "$RUN/changes")"
wait_for 10 eval '[ "$(descriptors)" -le '"$fds"' ]'

if [ "$(nproc)" -gt 1 ]; then
	note "queues and home workers move"
	flow_start
	for ((i = 0; i < 100; i++)); do
		core=$((i % 2 ? 0 : $(nproc) - 1))
		ctl worker move port a 0 $core
		ctl worker move network office $core
		ctl worker move network wide $core
		ctl worker move port w2 0 $((core ? 0 : $(nproc) - 1))
	done >/dev/null
	ctl worker list -j | jq -e --argjson core "$core" \
		'.[] | select(.core == $core) | .networks | contains(["office", "wide"])' >/dev/null ||
		fail "the networks are not where they were moved: $(ctl worker list)"
	flow_stop
	ctl worker stats -j | jq -e 'map(.stages[] | select(.stage == "handover") | .packets) | add > 0' \
		>/dev/null || fail "nothing was ever handed over: $(ctl worker stats)"
	status=0
	ctl worker move network office 4096 2>"$RUN/refused" || status=$?
	[ $status = 3 ] && grep -q "4096" "$RUN/refused" || fail "a core without a worker: $status"
fi

assert_ledger
switch_stop

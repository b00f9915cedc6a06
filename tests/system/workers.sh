#!/bin/bash
# A network over two workers: packets are owned by the hash of their addresses and handed over, TCP
# stays whole, one MAC table serves both; who polls and owns what is shown, stage by stage; both
# workers sleep afterwards and wake again.
# Catalogue: 5 (queues in use), 74 (idle), and issue item 5. Moves under traffic: live_changes.sh.
last=$(($(nproc) - 1))
WORKERS="0, $last"
. "$(dirname "$0")/lib.bash"
[ "$last" -gt 0 ] || skip "needs two cores"

ns_quiet a b c
switch_start <<END
networks:
  - {name: wide, workers: 2, home: 0, $TYPES}
  - {name: narrow, home: $last}
ports:
$(port_yaml a wide "mac: 02:00:00:00:00:01")
$(port_yaml b wide)
$(port_yaml c wide)
  - {name: n1, network: narrow, kernel: {interface: net1, netns: $(ns a)}, default-in: allow}
  - {name: n2, network: narrow, kernel: {interface: net1, netns: $(ns b)}, default-in: allow}
END
for i in 1 2 3 4 5 6 7 8; do
	ip -n "$(ns a)" address add 10.0.0.$i/24 dev net0
	ip -n "$(ns b)" address add 10.0.0.10$i/24 dev net0
done
ip -n "$(ns a)" address add 10.0.1.1/24 dev net1
ip -n "$(ns b)" address add 10.0.1.2/24 dev net1
# From stage STAGE of the worker on CORE: its packets.
stage() {
	ctl worker stats -j | jq --argjson core "$1" --arg stage "$2" \
		'.[] | select(.core == $core) | .stages[] | select(.stage == $stage) | .packets'
}

note "who is at home where, and who polls what"
[ "$(ctl network show wide -j | jq -c '[.home, (.workers | sort)]')" = "[0,[0,$last]]" ] ||
	fail "wide: $(ctl network show wide)"
[ "$(ctl network show narrow -j | jq -c '[.home, .workers]')" = "[$last,[$last]]" ] ||
	fail "narrow: $(ctl network show narrow)"
[ "$(ctl worker list -j | jq -c '[.[] | {(.core | tostring): .networks}] | add')" = \
	"{\"0\":[\"wide\"],\"$last\":[\"narrow\"]}" ] || fail "$(ctl worker list)"
[ "$(ctl worker list -j | jq -r '[.[].queues[] | select(.ready) | .port] | sort | join(" ")')" = \
	"a b c n1 n2" ] || fail "every queue has one worker: $(ctl worker list)"

note "64 pairs of addresses: both workers own some, and hand over what is the other's"
ctl worker stats --reset >/dev/null
for i in 1 2 3 4 5 6 7 8; do
	for j in 1 2 3 4 5 6 7 8; do
		in_ns a ping -q -c 1 -W 3 -I 10.0.0.$i 10.0.0.10$j >/dev/null ||
			fail "10.0.0.$i does not reach 10.0.0.10$j"
	done
done
handed0=$(stage 0 handover) handed1=$(stage "$last" handover)
echo "   handed to core 0: $handed0, to core $last: $handed1"
[ $((handed0 + handed1)) -ge 32 ] || fail "hardly anything is handed over: $(ctl worker stats)"
for core in 0 "$last"; do
	[ "$(stage "$core" forward)" -ge 16 ] || fail "core $core owns hardly anything: $(ctl worker stats)"
done

note "one MAC table for both: what is known is not flooded, whoever owns the packet"
send c "$(frame $BROADCAST 020000000c01)"
known() { [ "$(ctl fdb show -j --network wide | jq '[.[] | select(.mac == "02:00:00:00:0c:01")] | length')" = 1 ]; }
wait_for 5 known
watch b c
before=$(received a)
for i in 1 2 3 4 5 6 7 8; do
	# UDP between other addresses each time, so that the owner differs.
	send a "$(frame 020000000c01 "$(mac_of 1)" 0800 \
		"4500001c00010000401100000a00000${i}0a0000c8000${i}003500080000")" 5
done
settled a $((before + 40))
watched a b c
udp="^020000000c01$(mac_of 1)0800"
assert_seen b 0 "$udp"
assert_seen c 40 "$udp"

note "TCP over both workers at once, 4 connections each way"
spawn_ns b iperf3 -s -1 >"$RUN/iperf.server"
wait_for 10 eval 'in_ns b ss -ltn | grep -q :5201'
in_ns a iperf3 -c 10.0.0.101 -P 4 -n 200M --bidir -J >"$RUN/iperf" || fail "$(cat "$RUN/iperf")"
jq -r '"   \(.end.sum_sent.bytes / 1e6 | floor) MB sent, \(.end.sum_sent.retransmits) retransmits"' "$RUN/iperf"
head -c 10000000 /dev/urandom >"$RUN/blob"
for pair in "10.0.0.1 10.0.0.101" "10.0.0.2 10.0.0.101" "10.0.1.1 10.0.1.2"; do
	read -r from to <<<"$pair"
	spawn_ns b socat -u TCP-LISTEN:5001,reuseaddr "OPEN:$RUN/got,creat,trunc"
	in_ns a socat -u "OPEN:$RUN/blob" "TCP:$to:5001,bind=$from,retry=50,interval=0.1" ||
		fail "TCP from $from to $to broke off"
	wait "$SPAWNED"
	cmp "$RUN/blob" "$RUN/got" || fail "what came from $from to $to is damaged"
done

note "stage by stage: cycles and bursts"
ctl worker stats -j | jq -e 'length == 2 and all(.[]; .packets > 0 and .cycles_per_packet > 0 and
	.packets_per_burst >= 1 and .packets_per_burst <= 32 and .busy_percent > 0 and
	([.stages[].stage] | contains(["rx", "parse", "forward", "tx"])) and
	all(.stages[] | select(.packets > 0); .cycles_per_packet > 0 and .packets_per_burst >= 1))' \
	>/dev/null || fail "worker stats: $(ctl worker stats -j)"

note "quiet again, both sleep; then the first packets wake them"
asleep() { ctl worker list -j | jq -e 'all(.[]; .sleeping)'; }
wait_for 10 asleep
ping_ok a -I 10.0.0.3 10.0.0.104
ping_ok a 10.0.1.2
ctl worker stats --reset >/dev/null
[ "$(ctl worker stats -j | jq '[.[].packets] | add')" -lt 10 ] || fail "--reset does not: $(ctl worker stats)"

assert_ledger
switch_stop

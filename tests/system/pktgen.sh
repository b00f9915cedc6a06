#!/bin/bash
# vswitch-pktgen against vswitchd, without hugepages: every kind of traffic does what it says, and the
# connections that it counts are those that the switch has. No rate or time is held to anything, and where
# all must arrive, no more is sent than rings have room for, however long a core is taken away.
. "$(dirname "$0")/lib.bash"

PKTGEN=$VSWITCH_BUILD/vswitch-pktgen
CAPTURE=$RUN/conversation.pcap

# Not guarded: the capture has addresses of its own. VLAN tags pass.
port() { # NUMBER [FIELDS]
	echo "  - {name: vm$1, network: n, mac: 02:00:00:00:00:0$1, vhost-user: {socket: $RUN/vm$1.sock, mode: server}, $2}"
}
configuration() { # FIELDS-OF-BOTH [MORE]
	# The first lines go on with the section vswitch.
	cat <<-END
		  rules: $RUN/rules
		  inspected: 64
		  inspection-memory: 64
		firewall: {pick-up: 0}
		networks: [{name: n, tenant: t}]
		ports:
		$(port 1 "$1, ips: [10.0.0.1]")
		$(port 2 "$1, ips: [10.0.0.2]")
		${2:-}
	END
}
MARKER=harmless-marker-of-pktgen
mkdir "$RUN/rules"
echo "alert smb any any -> any 445 (msg:\"marker\"; file.data; content:\"$MARKER\"; sid:1;)" >"$RUN/rules/test.rules"
WORKERS=0
switch_start < <(configuration "default-in: allow, tagged: pass")

# pktgen OPTION...: the result is $RUN/result, in JSON.
pktgen() {
	"$PKTGEN" --no-huge --core $(($(nproc) - 1)) --wait 20 -j -p "$RUN/vm1.sock" -p "$RUN/vm2.sock" \
		"$@" >"$RUN/result" 2>"$RUN/pktgen.log" || fail "pktgen $*: $(cat "$RUN/pktgen.log")"
	[ ! -s "$RUN/pktgen.log" ] || fail "pktgen $*: $(cat "$RUN/pktgen.log")"
	jq -e . "$RUN/result" >/dev/null || fail "pktgen $*: no JSON: $(cat "$RUN/result")"
}
result() { jq -r "$1" "$RUN/result"; }
# holds JQ: of the result.
holds() {
	jq -e "$1" "$RUN/result" >/dev/null || fail "not so: $1: $(cat "$RUN/result")"
}
conns() { ctl conn count "$@" -j | jq .connections; }
no_conns() { ctl conn kill --all && [ "$(conns)" = 0 ]; }
forget_conns() { wait_for 10 no_conns; }
# apply FIELDS-OF-BOTH [MORE]: another configuration.
apply() {
	{ vswitch_section "$WORKERS" && configuration "$@"; } >"$RUN/vswitch.yaml"
	ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "a configuration is refused: $1"
}

note "what it is told wrongly, it says"
! "$PKTGEN" -p "$RUN/vm1.sock" --size 20 2>"$RUN/said" || fail "took a size of 20"
grep -q -- '--size: .* from 64' "$RUN/said" || fail "said: $(cat "$RUN/said")"
! "$PKTGEN" --no-huge --wait 0.1 -p "$RUN/nobody.sock" 2>"$RUN/said" || fail "found nobody"
grep -q 'switch must listen' "$RUN/said" || fail "said: $(cat "$RUN/said")"

note "UDP one way: all arrive, at the other port and nowhere else"
pktgen -n 1000 -r 20k -f 100 -1 --verify
holds '.all.sent == 1000 and .all.received == 1000 and .lost == 0 and .all.foreign == 0'
holds '.ports[0].sent == 1000 and .ports[0].received == 0 and .ports[1].received == 1000'
[ "$(conns --service udp)" = 100 ] || fail "not 100 flows: $(ctl conn count)"
[ "$(ctl conn list --limit 1000 -j | jq '[.connections[].from_port] | unique | length')" = 100 ] ||
	fail "not of 100 ports"
forget_conns

note "both ways, mixed sizes, a time in each: no more flows than one way"
pktgen -n 960 -r 20k -f 50 -s imix --latency=1
holds '.all.sent == 1920 and .all.received == 1920 and .loss == 0'
holds '.ports[1].received_bytes == 80 * (7 * 60 + 4 * 566 + 1514)'
holds '.latency.samples == 1920 and .latency.min_ns > 0 and .latency.p50_ns >= .latency.min_ns and
	.latency.p50_ns <= .latency.p99_ns and .latency."p99.9_ns" <= .latency.max_ns'
[ "$(conns --service udp)" = 50 ] || fail "not 50 flows: $(ctl conn count)"
forget_conns

note "VLAN tags"
pktgen -n 500 -r 20k -f 10 --vlan 7 --verify
holds '.all.received == 1000 and .all.foreign == 0'
forget_conns

note "ranges as Pktgen has them"
pktgen -n 300 -r 20k -1 --src-port 1002:1000:1004:2 --dst-port 80-81
[ "$(conns --service udp/80)/$(conns --service udp/81)/$(conns)" = 3/3/6 ] || fail "$(ctl conn list)"
forget_conns

note "TCP: every handshake is completed, then data flows; a RST ends them"
pktgen -t tcp -f 500 -n 1000 -r 20k --keep
holds '.tcp.established == 500 and .all.received == 2000 and .lost == 0'
[ "$(conns --state established)" = 500 ] || fail "not established: $(ctl conn count --by state)"
forget_conns
pktgen -t tcp -f 500 -n 1000 -r 20k -s 128 --latency=8
holds '.tcp.established == 500 and .all.received == 2000 and .latency.samples == 250'
all_closed() { [ "$(conns --state closed)" = 500 ]; }
wait_for 10 all_closed
forget_conns

note "storms: what is counted as new is what the switch has"
pktgen -t storm -n 1000 -r 20k
holds '.storm.opened == 1000 and .storm.delivered == 1000'
[ "$(conns --service udp)" = 1000 ] || fail "not 1000 connections: $(ctl conn count)"
forget_conns
pktgen -t storm --protocol tcp -n 500 -r 10k
holds '.storm.opened == 500 and .storm.established == 500'
[ "$(conns --state established)" = 500 ] || fail "not 500 connections: $(ctl conn count)"
forget_conns

note "the search ends, and tells its trials"
pktgen -S -d 0.1 -r 2k --resolution 30
holds '.search.throughput_pps <= 4000 and (.search.trials | length) >= 1 and
	(.search.trials | all(.pps <= 4000))'
forget_conns

note "SMB2: reads and writes are answered"
pktgen -t smb -f 4 --smb both -d 0.3
holds '.smb.connections == 4 and .smb.operations > 0 and .smb.reset == 0 and
	.smb.data_bytes == .smb.operations * 65536'
forget_conns
pktgen -t smb -f 1 -d 0.2 --tso 1448 --smb-block 100000
holds '.smb.operations > 0 and .smb.data_bytes == .smb.operations * 100000'

note "and inspected: every byte of payload is, nothing is found, but the marker in the last block"
apply "default-in: allow, tagged: pass" "inspection: [{tenant: t, mode: prevent, rules: [test.rules], fan-out: {enabled: no}}]"
rules_ready() { [ "$(ctl rules status -j | jq -r '.tenants[0].state')" = ready ]; }
wait_for 20 rules_ready
inspected() { ctl status -j | jq .inspection.bytes; }
# But for what a worker tells whose core is taken away: that it had no time to inspect something.
alerts() {
	jq -rs '[.[] | select(.event_type == "alert") | .alert | select(.category != "Not inspected") |
		.signature_id] | unique | @csv' "$RUN/eve.json"
}
for what in write read; do
	before=$(inspected)
	pktgen -t smb -f 2 --smb $what -d 0.2
	holds '.smb.operations > 0 and .smb.reset == 0'
	bytes=$(($(inspected) - before))
	# What is sent again may be looked at again.
	[ "$bytes" -ge "$(result .smb.payload_bytes)" ] || fail "$bytes bytes inspected of $(result .smb.payload_bytes)"
	[ "$bytes" = "$(result .smb.payload_bytes)" ] || [ "$(result .smb.segments_repeated)" -gt 0 ] ||
		fail "$bytes bytes inspected of $(result .smb.payload_bytes)"
	forget_conns
done
[ -z "$(alerts)" ] || fail "found $(alerts) in ordinary reads and writes"
pktgen -t smb -f 2 --smb write -d 0.2 --smb-marker $MARKER
found() { [ "$(alerts)" = 1 ]; }
wait_for 10 found
forget_conns

note "a mixture: UDP, and SMB between the last two ports, which waits where it has had its share"
apply "default-in: allow" "$(port 3 "default-in: allow, ips: [10.0.0.3]" && port 4 "default-in: allow, ips: [10.0.0.4]")"
pktgen -p "$RUN/vm3.sock" -p "$RUN/vm4.sock" -t mix -f 100 -r 20k -d 0.4 -w 0.1 --smb-share 20 --smb-flows 3
holds '.mix.connections == 3 and .mix.operations > 0 and .mix.reset == 0'
holds '.mix.share > 0 and .mix.share < 0.5 and .mix.others_pps > 0'
holds '.mix.payload_total > .mix.payload_bytes and .ports[2].sent > 0 and .ports[3].sent > 0'
[ "$(conns --service tcp/445)" = 3 ] || fail "not 3 connections of SMB: $(ctl conn count)"
forget_conns

note "guests that do nothing"
apply "default-in: allow"
packets() { ctl port list -j | jq 'map(.rx.packets) | add'; }
before=$(packets)
pktgen -t idle -d 0.1
holds '.all.sent == 0 and .all.received == 0'
[ "$(packets)" = "$before" ] || fail "guests without traffic have sent packets"

note "a capture, twice, as both sides: whose SYN it was sends first"
# Four frames: SYN, SYN-ACK, ACK, and one the other way round of UDP.
. "$TESTS/system/packets.bash"
pcap_frame() { # HEX
	local len=$((${#1} / 2)) le
	printf -v le '%02x%02x%02x%02x' $((len & 255)) $((len >> 8)) 0 0
	echo -n "0000000000000000$le$le$1"
}
{
	echo -n d4c3b2a1020004000000000000000000ffff000001000000
	for frame in "$(tcp 0200000000aa 0200000000bb 192.168.9.1 192.168.9.2 1111 80)" \
		"$(udp 0200000000bb 0200000000aa 192.168.9.2 192.168.9.1 80 1111 00)" \
		"$(udp 0200000000aa 0200000000bb 192.168.9.1 192.168.9.2 80 1111 00)" \
		"$(udp 0200000000bb 0200000000aa 192.168.9.3 192.168.9.1 5 6 00)"; do
		pcap_frame "$frame"
	done
} >"$RUN/hex"
printf '%b' "$(sed 's/../\\x&/g' "$RUN/hex")" >"$CAPTURE"
apply "trusted: true"
pktgen -t replay --capture "$CAPTURE" --loops 2
holds '.replay.frames == 4 and .replay.complete and .lost == 0'
holds '.ports[0].sent == 6 and .ports[0].received == 2 and .ports[1].sent == 2 and .ports[1].received == 6'

note "what the switch lets nobody pass is lost, and said to be"
apply "default-in: deny"
pktgen -n 200 -r 20k
holds '.all.sent == 400 and .all.received == 0 and .lost == 400 and .loss == 1'
! "$PKTGEN" --no-huge --wait 0.3 -t tcp -f 5 -p "$RUN/vm1.sock" -p "$RUN/vm2.sock" 2>"$RUN/said" ||
	fail "TCP without a handshake"
grep -q '0 of 5 TCP connections' "$RUN/said" || fail "said: $(cat "$RUN/said")"

assert_ledger
switch_stop

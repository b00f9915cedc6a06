#!/bin/bash
# Kernel ports carry what programs send: IPv4 and IPv6, TCP with segmentation and checksums left to
# the switch, UDP, large frames; and they bear what an operator does to interfaces.
# Catalogue: 21, 26 (software completion), 31, 33 (MTU), 72 (ledger), and issue item 3.
. "$(dirname "$0")/lib.bash"

ns_add a
ns_add b
ns_add moved
switch_start <<END
networks:
  - {name: office}
  - {name: jumbo, mtu: 9000}
ports:
$(port_yaml a office)
$(port_yaml b office)
  - {name: late, network: office, mac: 02:00:00:00:00:03, kernel: {interface: net0, netns: vt$$-late}, default-in: allow}
  - {name: here, network: office, kernel: {interface: vs$$h}, default-in: allow}
  - {name: j1, network: jumbo, kernel: {interface: net1, netns: $(ns a)}, default-in: allow}
  - {name: j2, network: jumbo, kernel: {interface: net1, netns: $(ns b)}, default-in: allow}
END
address() {
	ip -n "$(ns "$1")" address add "$3" dev "$2"
	ip -n "$(ns "$1")" link set "$2" up
}
address a net0 10.0.0.1/24
address b net0 10.0.0.2/24
address a net0 fd00::1/64
address b net0 fd00::2/64
address a net1 10.0.1.1/24
address b net1 10.0.1.2/24

note "ping, both families"
ping_ok a 10.0.0.2
ping_ok b fd00::1

# digest_over FAMILY ADDRESS: 20 MB from a to b, the digest checked.
digest_over() {
	local want got
	want=$(head -c 20000000 "$RUN/blob" | md5sum | cut -d ' ' -f 1)
	ip netns exec "$(ns b)" socat -u "TCP$1-LISTEN:5001,reuseaddr" "OPEN:$RUN/got,creat,trunc" &
	local listener=$!
	PIDS+=("$listener")
	in_ns a socat -u "OPEN:$RUN/blob" "TCP$1:$2:5001,retry=50,interval=0.1" ||
		fail "TCP to $2 broke off"
	wait "$listener"
	got=$(md5sum <"$RUN/got" | cut -d ' ' -f 1)
	[ "$want" = "$got" ] || fail "what reached $2 is not what was sent"
}
note "TCP with the digest checked, both families; segments cross whole"
head -c 20000000 /dev/urandom >"$RUN/blob"
before=$(received a)
digest_over 4 10.0.0.2
packets=$(($(received a) - before))
echo "   20 MB left as $packets packets"
[ "$packets" -lt 7000 ] || fail "TSO is not used: 20 MB in $packets packets"
digest_over 6 "[fd00::2]"

note "iperf3 both ways"
spawn_ns b iperf3 -s -1 >/dev/null
wait_for 10 in_ns b sh -c "ss -ltn | grep -q :5201"
in_ns a iperf3 -c 10.0.0.2 -n 50M --bidir -J >"$RUN/iperf" || fail "iperf3: $(cat "$RUN/iperf")"

note "9000 bytes where the network says so, and no more; 1500 elsewhere"
in_ns a ping -q -c 2 -i 0.1 -W 3 -M do -s 8972 10.0.1.2 >/dev/null || fail "no ping of 9000 bytes"
in_ns a ping -q -c 1 -W 1 -M do -s 8973 10.0.1.2 >/dev/null 2>&1 && fail "9001 bytes went through"
# A sender that ignores the MTU: b's port, not the switch, is what it is too long for.
ip -n "$(ns a)" link set net0 mtu 4000
in_ns a ping -q -c 2 -i 0.1 -W 1 -M do -s 2000 10.0.0.2 >/dev/null 2>&1 && fail "2028 bytes went to 1500"
[ "$(drops_of b tx_mtu)" -ge 2 ] || fail "no drop named tx_mtu: $(ctl drops b)"
ip -n "$(ns a)" link set net0 mtu 1500
ping_ok a 10.0.0.2

note "an interface that is down, and up again"
ip -n "$(ns b)" link set net0 down
ping_fails a 10.0.0.2
ip -n "$(ns b)" link set net0 up
wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.2

note "moved by hand into another namespace it goes on"
ip link set "vs$$h" netns "$(ns moved)"
address moved "vs$$h" 10.0.0.4/24
wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.4

note "a namespace that comes later: the port says what it waits for, and is up when it is there"
[ "$(port_field late .state)" = failed ] || fail "late: $(ctl port show late)"
port_field late .error | grep -q "vt$$-late" || fail "late does not say why: $(ctl port show late)"
ns_add late
wait_for 10 eval '[ "$(port_field late .state)" = up ]'
address late net0 10.0.0.3/24
wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.3

note "a namespace that goes and comes again"
ip netns del "$(ns late)"
wait_for 10 eval '[ "$(port_field late .state)" != up ]'
ip netns add "$(ns late)"
wait_for 10 eval '[ "$(port_field late .state)" = up ]'
address late net0 10.0.0.3/24
wait_for 10 in_ns a ping -q -c 1 -W 1 10.0.0.3

note "a name that is taken: the port says so, the others are as they were"
ctl port add twin network=office kernel.interface=net0 kernel.netns="$(ns moved)"
ip -n "$(ns moved)" link add taken type dummy 2>/dev/null && {
	ctl port add taken network=office kernel.interface=taken kernel.netns="$(ns moved)"
	[ "$(port_field taken .state)" = failed ] || fail "taken: $(ctl port show taken)"
	ctl port del taken
}
ctl port del twin
ping_ok a 10.0.0.2

assert_ledger
switch_stop
ip -n "$(ns a)" link show net0 >/dev/null 2>&1 && fail "an interface was left behind"
exit 0

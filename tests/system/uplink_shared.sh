#!/bin/bash
# What may befall an interface that the host shares with the switch: what cannot be used is left in
# peace however often it is tried, and what changes under the switch, its name, its MAC, its queues, its
# XDP program, is noticed, said, and followed where that can be.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

command -v clang >/dev/null || skip "needs clang"
ns_quiet host far greena
for i in 0 1 2 3; do
	queues="numrxqueues $((1 + i / 3)) numtxqueues $((1 + i / 3))"
	# shellcheck disable=SC2086
	ip link add "vt$$eth$i" $queues netns "$(ns host)" type veth \
		peer name eth$i $queues netns "$(ns far)" || skip "cannot make veth pairs"
	ip -n "$(ns host)" link set "vt$$eth$i" name eth$i
	ip -n "$(ns host)" link set eth$i up
	ip -n "$(ns far)" link set eth$i up
done
cat >"$RUN/foreign.c" <<END
__attribute__((section("xdp"), used)) int someone_elses(void *frame) { return 2; }
END
clang -O2 -g -target bpf -c -o "$RUN/foreign.o" "$RUN/foreign.c" || fail "clang"
# What DPDK's net_af_packet stands on: one for packets that are too large for that, and one whose
# MTU cannot be raised, which somebody else has promiscuous.
ip link add "vt$$eth4" netns "$(ns host)" type veth peer name eth4 netns "$(ns far)"
ip -n "$(ns host)" link set "vt$$eth4" name eth4
ip -n "$(ns host)" link set eth4 up
ip link add "vt$$eth5" mtu 1400 netns "$(ns host)" type veth peer name eth5 netns "$(ns far)"
ip -n "$(ns host)" link set "vt$$eth5" name eth5
ip -n "$(ns host)" link add link eth5 name mv5 type macvlan || skip "cannot make macvlans"
ip -n "$(ns host)" link set mv5 up promisc on
in_ns host ip link set eth0 xdpgeneric obj "$RUN/foreign.o" sec xdp || fail "no foreign program"
{
	vswitch_section
	cat <<-YAML
		networks:
		  - {name: red, vlan: 100, mtu: 2000}
		  - {name: idle, vlan: 300}
		  - {name: green, vni: 7000, mtu: 1430}
		ports:
		$(port_yaml greena green "mac: \"02:00:00:00:00:01\", ips: [10.0.0.1]")
		uplinks:
		  - {name: taken, interface: eth0, networks: [red]}
		  - {name: tunnels, interface: eth1, vxlan: {local: 198.51.100.1/24, peers: [{name: far, address: 198.51.100.2}]}}
		  - {name: renamed, interface: eth2, networks: [red]}
		  - {name: plain, interface: eth3, queues: 2, networks: [red]}
		  - {name: large, device: "net_af_packet4,iface=eth4", networks: [red]}
		  - {name: small, device: "net_af_packet5,iface=mv5", networks: [idle]}
		  - {name: loop, interface: lo, networks: [red]}
		  - {name: late, interface: eth9, networks: [red]}
	YAML
} >"$RUN/vswitch.yaml"
BUFFERS=8192 spawn_ns host "$VSWITCH_BUILD/vswitchd" -c "$RUN/vswitch.yaml" >>"$RUN/vswitchd.log" 2>&1
VSWITCHD_PID=$SPAWNED
wait_for 20 ctl status
[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
state_is() { [ "$(port_field "$1" .state)" = "$2" ]; }
error_is() { port_field "$1" .error | grep -q "$2"; }
# tries: ports that could not be opened have been tried anew once more.
tries() {
	ip -n "$(ns host)" link add eth9 type veth peer name eth9 netns "$(ns far)"
	wait_for 10 eval '[ "$(port_field late.100 .state)" != failed ]'
	ip -n "$(ns host)" link del eth9
	wait_for 10 state_is late.100 failed
}
at_rest() { # INTERFACE: no program of the switch's, not promiscuous, its MTU as it was
	in_ns host ip -d -j link show "$1" | jq -e '.[0] | .mtu == 1500 and .promiscuity == 0 and
		(.xdp == null or .xdp.prog.name == "someone_elses")' >/dev/null
}

note "an interface that cannot be used does not feel that it is tried"
error_is taken.100 someone_elses || fail "$(ctl port show taken.100)"
error_is tunnels.far.7000 "the host does not have 198.51.100.1" || fail "$(ctl port show tunnels.far.7000)"
error_is large.100 "takes packets of 1500 bytes at most" || fail "$(ctl port show large.100)"
error_is small.300 "mv5 does not take packets of 1500 bytes" || fail "$(ctl port show small.300)"
error_is loop.100 "lo is no Ethernet interface" || fail "$(ctl port show loop.100)"
spawn_ns host ip monitor link >"$RUN/links"
MONITOR=$SPAWNED
wait_for 10 eval 'ip -n "$(ns host)" link set lo down; ip -n "$(ns host)" link set lo up; grep -q "lo:" "$RUN/links"'
tries
tries
kill "$MONITOR"
grep -E "(eth[014]|mv5)[:@]" "$RUN/links" && fail "changed while nothing could come of it: above"
at_rest eth0 || fail "$(in_ns host ip -d link show eth0)"
at_rest eth1 || fail "$(in_ns host ip -d link show eth1)"
in_ns host ip link show mv5 | grep -q PROMISC || fail "$(in_ns host ip link show mv5)"

note "tunnels follow the interface's MAC"
ip -n "$(ns host)" address add 198.51.100.1/24 dev eth1
ip -n "$(ns far)" address add 198.51.100.2/24 dev eth1
wait_for 10 state_is tunnels.far.7000 up
ip -n "$(ns far)" link add vx0 type vxlan id 7000 local 198.51.100.2 remote 198.51.100.1 dstport 4789 noudpcsum dev eth1 ||
	skip "the kernel has no VXLAN"
ip -n "$(ns far)" address add 10.0.0.2/24 dev vx0
ip -n "$(ns far)" link set vx0 up
ip -n "$(ns greena)" address add 10.0.0.1/24 dev net0
ip -n "$(ns greena)" link set net0 up
ping_ok greena 10.0.0.2
ip -n "$(ns host)" link set eth1 address 02:00:00:00:aa:01
wait_for 10 grep -q "eth1 has another MAC than before" "$RUN/vswitchd.log"
wait_for 10 state_is tunnels.far.7000 up
wait_for 10 in_ns greena ping -q -c 1 -W 1 10.0.0.2

note "what the tunnels drop is in the sum of what the device lost"
before=$(port_field tunnels.far.7000 .device.drops.in_switch)
in_ns far "$FRAMES" send eth1 "$(udp 02000000aa01 020000000bad 198.51.100.9 198.51.100.1 50000 4789 \
	08000000001b5800"$(frame $BROADCAST 020000000033)")" 7
wait_for 10 eval '[ "$(port_field tunnels.far.7000 .underlay.rx_unknown_peer)" = 7 ]'
[ "$(port_field tunnels.far.7000 .device.drops.in_switch)" -ge $((before + 7)) ] || fail "$(ctl port show tunnels.far.7000)"

note "by command, peers with all their fields; link-local ones, of that interface"
for i in 1 2; do
	for h in host far; do in_ns $h sysctl -qw net.ipv6.conf.eth$i.disable_ipv6=0; done
	ip -n "$(ns host)" address add fe80::1/64 dev eth$i nodad
	ip -n "$(ns far)" address add fe80::2/64 dev eth$i nodad
done
refused uplink set tunnels 'vxlan.peers=[{name: far, address: fe80::2}'
ctl uplink set tunnels vxlan.local=fe80::1/64 \
	'vxlan.peers=[{name: far, address: "fe80::2"}, {name: none, address: "fe80::3", networks: [green]}]' \
	>/dev/null || fail "not changed"
wait_for 10 state_is tunnels.far.7000 up
[ "$(port_field tunnels.far.7000 .next_hop_mac)" = "$(in_ns far cat /sys/class/net/eth1/address)" ] ||
	fail "$(ctl port show tunnels.far.7000)"
state_is tunnels.none.7000 unresolved || fail "$(ctl port show tunnels.none.7000)"
ctl uplink list -j | jq -e '.[] | select(.name == "tunnels") | .state == "up" and
	(.error | startswith("tunnels.none.7000: "))' >/dev/null || fail "$(ctl uplink list -j)"

note "an interface that is renamed is given back under its new name"
wait_for 10 state_is renamed.100 up
in_ns host ip -j link show eth2 | jq -e '.[0].mtu == 2000' >/dev/null || fail "$(in_ns host ip link show eth2)"
ip -n "$(ns host)" link set eth2 down
ip -n "$(ns host)" link set eth2 name other2
ip -n "$(ns host)" link set other2 up
wait_for 10 error_is renamed.100 "there is no interface eth2"
at_rest other2 || fail "$(in_ns host ip -d link show other2)"

note "a program that somebody took off is put there again, and the log says why"
wait_for 10 state_is plain.100 up
for mode in xdp xdpgeneric; do in_ns host ip link set eth3 $mode off 2>/dev/null; done
wait_for 10 grep -q "port plain.100: lost.*eth3 no longer has the switch's XDP program" "$RUN/vswitchd.log"
wait_for 10 eval 'in_ns host ip -d -j link show eth3 | jq -e ".[0].xdp.prog.name == \"vswitch_edge\"" && state_is plain.100 up'

note "a second tag passes where the uplink lets it"
inner=$(frame $BROADCAST 020000000033 8100 00c888b5)
twice=${inner:0:24}81000064${inner:24}
in_ns far "$FRAMES" send eth3 "$twice" 2
wait_for 10 eval '[ "$(port_field plain.100 .device.rx_double_tag)" = 2 ]'
ctl uplink set plain qinq=pass >/dev/null || fail "not changed"
wait_for 10 state_is plain.100 up
in_ns far "$FRAMES" send eth3 "$twice" 3
wait_for 10 eval '[ "$(port_field plain.100 .rx.packets)" = 3 ]'
assert_drops plain.100 vlan_tagged 0

note "other queues than before would be queues without a socket"
if command -v ethtool >/dev/null && in_ns host ethtool -L eth3 rx 1 tx 1; then
	wait_for 10 error_is plain.100 "eth3 has 1 receive queues and the uplink 2"
	in_ns host ethtool -L eth3 rx 2 tx 2
	wait_for 10 state_is plain.100 up
fi

note "an interface may go to another network namespace"
ip -n "$(ns host)" link set eth3 netns "$(ns far)" name away3
wait_for 10 error_is plain.100 "there is no interface eth3"
assert_ledger
kill "$VSWITCHD_PID"
wait "$VSWITCHD_PID" || fail "vswitchd ended with $? on SIGTERM"
at_rest eth1 || fail "$(in_ns host ip -d link show eth1)"
exit 0

#!/bin/bash
# Two switches joined by a cable (a veth pair under AF_XDP) carry two tenants with the same addresses
# under a VLAN each: what is on the wire has its tag, nothing crosses, what is tagged in another way is
# dropped and counted, and an uplink that is not there or goes leaves all others alone.
. "$(dirname "$0")/lib.bash"

for tool in tcpdump iperf3 clang; do
	command -v "$tool" >/dev/null || skip "needs $tool"
done
CABLE=vt$$
test_cleanup() {
	local link
	for link in a b v w late busy; do ip link del "$CABLE$link" 2>/dev/null; done
}
# cable NAME PEER [NAMESPACE]: both ends are quiet, the far one stays or is called wire0 there.
cable() {
	ip link add "$CABLE$1" type veth peer name "$CABLE$2" || skip "cannot make veth pairs"
	local end
	for end in "$1" "$2"; do
		ip link set "$CABLE$end" addrgenmode none
		[ "$end" = "$2" ] && [ -n "${3:-}" ] && continue
		ip link set "$CABLE$end" up
	done
	[ -z "${3:-}" ] || {
		ip link set "$CABLE$2" netns "$(ns "$3")" name wire0
		ip -n "$(ns "$3")" link set wire0 up
	}
}
on() { SOCK=$RUN/$1.sock; }
# host NAME CORE: a vswitchd of that name, its configuration on standard input.
host() {
	on "$1"
	{
		vswitch_section "$2" | sed "s|$RUN/state|$RUN/$1.state|; s|$RUN/eve|$RUN/$1|"
		cat
	} >"$RUN/$1.yaml"
	BUFFERS=8192 "$VSWITCH_BUILD/vswitchd" -c "$RUN/$1.yaml" >>"$RUN/vswitchd.log" 2>&1 &
	PIDS+=("$!")
	wait_for 20 ctl status
	[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
}
CONNECTIONS=16384
MACS=(02:00:00:00:00:01 02:00:00:00:00:02)
host_yaml() { # HOST NUMBER CABLE WIRE: guests red and blue of the host, with the same addresses
	cat <<-END
		networks:
		  - {name: red, vlan: 100, $TYPES}
		  - {name: blue, vlan: 200, $TYPES}
		  - {name: plain, $TYPES}
		ports:
		$(port_yaml "red$1" red "mac: \"${MACS[$2 - 1]}\", ips: [10.0.0.$2]")
		$(port_yaml "blue$1" blue "mac: \"${MACS[$2 - 1]}\", ips: [10.0.0.$2]")
		uplinks:
		  - {name: up, interface: "$CABLE$3"}
		  - {name: wire, interface: "$CABLE$4", networks: [red], untagged: plain}
	END
}

ns_quiet reda bluea redb blueb wirea wireb
cable a b
cable v wa wirea
cable w wb wireb
host_yaml a 1 a v >"$RUN/a.ports"
host_yaml b 2 b w >"$RUN/b.ports"
host a 0 <"$RUN/a.ports"
host b $(($(nproc) - 1)) <"$RUN/b.ports"
# address HOST: its guests get theirs.
address() {
	local guest
	on "$1"
	wait_for 10 eval '[ "$(port_field up.200 .state)" = up ] && [ "$(port_field wire .state)" = up ]'
	for guest in red blue; do
		ip -n "$(ns "$guest$1")" address add "10.0.0.$((0x$1 - 9))/24" dev net0
		ip -n "$(ns "$guest$1")" link set net0 up
	done
}
address a
address b

note "both tenants reach their own, with the same addresses"
ping_ok reda 10.0.0.2
ping_ok bluea 10.0.0.2
on a
[ "$(port_field up.100 '.kind + " " + .network + " " + .link.state + " " + (.vlan | tostring)')" = \
	"uplink red up 100" ] || fail "up.100: $(ctl port show up.100)"
port_field up.100 '.offloads_emulated | join(",")' | grep -q checksum,tso ||
	fail "up.100 does not say what is done in software: $(ctl port show up.100)"
[ "$(ctl fdb show -j | jq -r '[.[] | select(.port == "up.200") | .network] | unique[]')" = blue ] ||
	fail "blue's guest is not learned behind up.200: $(ctl fdb show)"

note "TCP across, its segments cut and summed for the wire"
spawn_ns redb iperf3 -s -1 >/dev/null
wait_for 10 in_ns redb sh -c "ss -ltn | grep -q :5201"
in_ns reda iperf3 -c 10.0.0.2 -n 20M -J >"$RUN/iperf" || fail "iperf3: $(cat "$RUN/iperf")"

note "tags on the wire are right, priority is kept from one uplink to the next"
in_ns wireb tcpdump -i wire0 -elnU -Q in "ether src 02:00:00:00:00:77" >"$RUN/wireb" 2>"$RUN/tcpdump" &
PIDS+=("$!")
wait_for 10 grep -q listening "$RUN/tcpdump"
tagged() { echo "${1:0:24}8100$2${1:24}"; } # FRAME TCI: the frame with that tag
FRAME=$(frame $BROADCAST 020000000077)
watch redb blueb
in_ns wirea "$FRAMES" send wire0 "$(tagged "$FRAME" a064)" # priority 5
wait_for 10 grep -q "vlan 100, p 5" "$RUN/wireb"

note "other tags go nowhere, and are counted"
in_ns wirea "$FRAMES" send wire0 "$(tagged "$FRAME" 00c8)" 3
in_ns wirea "$FRAMES" send wire0 "$(tagged "$(tagged "$FRAME" 00c8)" 0064)" 4
in_ns wirea "$FRAMES" send wire0 "$(tagged "$(tagged "$FRAME" 0064)" 0000)" 5
in_ns wirea "$FRAMES" send wire0 "$FRAME" 2
on a
wait_for 10 eval '[ "$(port_field wire .rx.packets)" = 2 ]'
wait_for 10 eval '[ "$(port_field wire .device.rx_double_tag)" = 9 ]'
[ "$(port_field wire.100 .device.drops.in_switch)" = 9 ] || fail "$(ctl port show wire.100)"
[ "$(port_field wire.100 .rx.packets)" = 1 ] || fail "$(ctl port show wire.100)"
[ "$(port_field wire.100 .xdp.verdicts.host)" = 3 ] || fail "$(ctl port show wire.100)"
send reda "$(frame $BROADCAST "$(mac_of 1)" $MARK)"
send bluea "$(frame $BROADCAST "$(mac_of 1)" $MARK)"
for guest in redb blueb; do wait "${WATCHERS[$guest]}" || fail "no end of the watch at $guest"; done
assert_seen redb 1
assert_seen blueb 0
[ "$(grep -c vlan "$RUN/wireb")" = 1 ] || fail "more than one frame came out: $(cat "$RUN/wireb")"

note "a network with a vlan is carried as soon as it is there; its MTU is the device's, too"
before=$(port_field up.100 .device.rx_packets)
ctl network add green vlan=300 >/dev/null
[ "$(port_field up.300 .state)" = up ] || fail "$(ctl port show up.300)"
[ "$(port_field up.100 .device.rx_packets)" -ge "$before" ] || fail "the device was opened anew"
ctl network set green mtu=3000 >/dev/null
wait_for 10 eval '[ "$(port_field up.300 "[.mtu, .device.mtu]" | tr -d "\n ")" = "[3000,3000]" ]'
ip link show "${CABLE}a" | grep -q "mtu 3000" || fail "$(ip link show "${CABLE}a")"
ctl network set green mtu=3819 >/dev/null
port_field up.300 .error | grep -q "takes packets of 3818 bytes at most" || fail "$(ctl port show up.300)"
ctl network del green >/dev/null
wait_for 10 eval '[ "$(port_field up.100 .state)" = up ]'
ip link show "${CABLE}a" | grep -q "mtu 1500" || fail "$(ip link show "${CABLE}a")"
ping_ok reda 10.0.0.2
before=$(port_field up.100 .device.rx_packets)
refused port set up.100 mtu=1400

note "uplinks by command: one change each, and the others go on"
ctl uplink list -j | jq -e '[.[] | [.name, .state, .link, .ports]] == [["up", "up", "up", 2], ["wire", "up", "up", 2]]' \
	>/dev/null || fail "$(ctl uplink list -j)"
ctl uplink list | grep -q " ${CABLE}a " || fail "$(ctl uplink list)"
ctl uplink show up -j | jq -e '.device.driver == "af_xdp" and .configuration.queues == 1 and
	[.ports[] | [.name, .network, .vlan]] == [["up.100", "red", 100], ["up.200", "blue", 200]]' >/dev/null ||
	fail "$(ctl uplink show up -j)"
ctl uplink add ring device=net_ring7 networks=blue mac-limit=7 >/dev/null || fail "not added"
[ "$(port_field ring.200 .state)" = up ] || fail "$(ctl port show ring.200)"
ctl uplink add ring device=net_ring7 networks=blue mac-limit=7 | grep -q already || fail "added again"
refused uplink add ring device=net_ring8
refused uplink set ring device=eth1
grep -q 'uplinks\[2\].device: must be a PCI address' "$RUN/refused" || fail "$(cat "$RUN/refused")"
refused uplink set ring device="net_af_xdp0,iface=${CABLE}z"
refused uplink set none queues=2
refused network del red
grep -q "is used by\|still has ports" "$RUN/refused" || fail "$(cat "$RUN/refused")"
ctl uplink set ring networks=red,blue queues=2 >/dev/null || fail "not changed"
[ "$(port_field ring.100 .queues)" = 2 ] || fail "$(ctl port show ring.100)"
ctl uplink set ring networks= untagged=plain >/dev/null || fail "not changed"
[ "$(ctl uplink show ring -j | jq '.ports | length')" = 3 ] || fail "$(ctl uplink show ring)"
[ "$(port_field up.100 .device.rx_packets)" -ge "$before" ] || fail "the device was opened anew"
ctl uplink del ring --dry-run >/dev/null && ctl port show ring >/dev/null || fail "a dry run removed it"
ctl uplink del ring >/dev/null && ctl uplink del ring >/dev/null || fail "not removed"
refused port show ring
refused uplink show ring
ping_ok bluea 10.0.0.2

note "an interface that is in use is left alone, and taken as soon as it is free"
cat >"$RUN/foreign.c" <<END
__attribute__((section("xdp"), used)) int someone_elses(void *frame) { return 2; }
END
clang -O2 -g -target bpf -c -o "$RUN/foreign.o" "$RUN/foreign.c" || fail "clang"
cable busy busy2
ip link set "${CABLE}busy" xdpgeneric obj "$RUN/foreign.o" sec xdp || fail "no foreign program"
program() { ip -j link show "${CABLE}busy" | jq ".[0].xdp.prog.id"; }
id=$(program)
cp "$RUN/a.yaml" "$RUN/twin.yaml"
echo "  - {name: twin, interface: ${CABLE}busy, networks: [blue]}" >>"$RUN/twin.yaml"
ctl config apply "$RUN/twin.yaml" >/dev/null 2>&1 || fail "not applied"
port_field twin.200 .error | grep -q "$id.*someone_elses" || fail "$(ctl port show twin.200)"
[ "$(program)" = "$id" ] || fail "the program is gone"
ping_ok reda 10.0.0.2
ip link set "${CABLE}busy" xdpgeneric off
wait_for 10 eval '[ "$(port_field twin.200 .state)" = up ]'
ctl config apply "$RUN/a.yaml" >/dev/null 2>&1 || fail "not applied"
ip -d link show "${CABLE}busy" | grep "promiscuity [1-9]\|prog/xdp" && fail "left behind"

note "more queues than the interface has are refused by name, and as many as it has are taken"
ctl uplink add many interface="${CABLE}busy" queues=16 networks=blue >/dev/null || fail "not added"
port_field many.200 .error | grep -q "has [0-9]* receive queues and the uplink 16" ||
	fail "$(ctl port show many.200)"
ctl uplink set many queues="$(port_field many.200 .error | sed 's/.* has \([0-9]*\) receive.*/\1/')" >/dev/null ||
	fail "not changed"
wait_for 10 eval '[ "$(port_field many.200 .state)" = up ]'
ctl uplink del many >/dev/null || fail "not removed"

note "killed, the switch finds what it left there and goes on"
on b
kill -9 "${PIDS[1]}"
wait "${PIDS[1]}" 2>/dev/null
host b $(($(nproc) - 1)) <"$RUN/b.ports"
HOST_B=${PIDS[-1]}
address b
wait_for 10 in_ns reda ping -q -c 1 -W 1 10.0.0.2
on a

note "a device that is not there: one message, and the others go on"
ctl config show | sed "s|$CABLE""v|$CABLE""late|" >"$RUN/late.yaml"
ctl config apply "$RUN/late.yaml" >/dev/null 2>&1 || fail "not applied"
[ "$(port_field wire.100 .state)" = failed ] || fail "$(ctl port show wire.100)"
port_field wire.100 .error | grep -q "no interface $CABLE""late" || fail "$(ctl port show wire.100)"
ping_ok reda 10.0.0.2
ip -d link show "$CABLE"v | grep -q "promiscuity [1-9]\|prog/xdp" && fail "left behind: $(ip -d link show "$CABLE"v)"
ip link del "$CABLE"v
note "when it comes it is used, without a restart"
cable late wa2 wirea
wait_for 10 eval '[ "$(port_field wire.100 .state)" = up ]'
ping_ok bluea 10.0.0.2

note "pulled out it is gone, the link of the other end is down"
ip link del "$CABLE"late
wait_for 10 eval '[ "$(port_field wire.100 .state)" = failed ]'
ip link set "$CABLE"b down
wait_for 10 eval '[ "$(port_field up.100 .state)" = down ]'
ip link set "$CABLE"b up
wait_for 10 eval '[ "$(port_field up.100 .state)" = up ]'
wait_for 10 in_ns reda ping -q -c 1 -W 1 10.0.0.2

for side in a b; do
	on "$side"
	assert_ledger
done
kill "${PIDS[0]}" "$HOST_B"
for pid in "${PIDS[0]}" "$HOST_B"; do
	wait "$pid" || fail "vswitchd ended with $? on SIGTERM"
done
for end in a b; do
	ip -d link show "$CABLE$end" | grep -q "promiscuity [1-9]\|prog/xdp" &&
		fail "left behind: $(ip -d link show "$CABLE$end")"
done
exit 0

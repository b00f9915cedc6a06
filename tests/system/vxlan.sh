#!/bin/bash
# Two switches with a router between them carry two tenants with the same addresses in VXLAN, over IPv4
# and IPv6: what is on the wire is tunnels of the right network between the right hosts, rules hold for
# guests of other hosts, what is no tunnel of ours is dropped and counted, and what came out of one
# tunnel goes into no other.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

for tool in tcpdump iperf3; do
	command -v "$tool" >/dev/null || skip "needs $tool"
done
on() { SOCK=$RUN/$1.sock; }
# host NAME CORE: a vswitchd in the namespace hostNAME, its configuration on standard input.
host() {
	on "$1"
	{
		vswitch_section "$2" | sed "s|$RUN/state|$RUN/$1.state|; s|$RUN/eve|$RUN/$1|"
		cat
	} >"$RUN/$1.yaml"
	spawn_ns "host$1" "$VSWITCH_BUILD/vswitchd" -c "$RUN/$1.yaml" >>"$RUN/vswitchd.log" 2>&1
	wait_for 20 ctl status
	[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
}
CONNECTIONS=16384 BUFFERS=8192
# The router has an interface to each host: a in 192.0.2.0/24, b in 198.51.100.0/24.
declare -A NUMBER=([a]=1 [b]=2) SUBNET=([a]=192.0.2. [b]=198.51.100.) SUBNET6=([a]=2001:db8:a:: [b]=2001:db8:b::)
other() { [ "$1" = a ] && echo b || echo a; }
# Host a has the device to itself and resolves what it needs; b shares an interface with its kernel, which
# has the address and the route.
declare -A UNDER=([a]='device: "net_af_packet0,iface=net1"' [b]='interface: net1')
# host_yaml HOST LOCAL GATEWAY PEER THIRD: guests red and blue of the host, with the same addresses.
# THIRD is a peer that is not there.
host_yaml() {
	local n=${NUMBER[$1]}
	cat <<-END
		networks:
		  - {name: red, vni: 5000, mtu: 1430, $TYPES}
		  - {name: blue, vni: 16777215, mtu: 1430, $TYPES}
		ports:
		$(port_yaml "red$1" red "mac: \"02:00:00:00:00:0$n\", ips: [10.0.0.$n], groups: [open]")
		$(port_yaml "blue$1" blue "mac: \"02:00:00:00:00:0$n\", ips: [10.0.0.$n]")
		groups:
		  - name: open
		    tenant: red
		    rules:
		      - {direction: in, protocol: icmp, action: allow}
		      - {direction: in, protocol: tcp, ports: 5201, action: allow}
		uplinks:
		  - name: up
		    ${UNDER[$1]}
		    vxlan:
		      local: $2
		      $([ "$1" = b ] || echo "gateway: $3")
		      peers:
		        - {name: $(other "$1"), address: $4}
		        - {name: third, address: $5, networks: [red], macs: [{network: red, mac: 02:00:00:00:00:44}]}
	END
}

ns_quiet reda bluea redb blueb
ns_add router
in_ns router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for h in a b; do
	ns_add "host$h"
	ip -n "$(ns "host$h")" link add net1 type veth peer name "to$h" netns "$(ns router)" ||
		skip "cannot make veth pairs"
	[ "$h" = b ] || ip -n "$(ns "host$h")" link set net1 addrgenmode none # its kernel is silent
	ip -n "$(ns "host$h")" link set net1 up
	in_ns router ethtool -K "to$h" tx off >/dev/null 2>&1
	ip -n "$(ns router)" link set "to$h" up
	ip -n "$(ns router)" address add "${SUBNET[$h]}254/24" dev "to$h"
	ip -n "$(ns router)" address add "${SUBNET6[$h]}fe/64" dev "to$h"
done
ip -n "$(ns hostb)" address add 198.51.100.1/24 dev net1
ip -n "$(ns hostb)" address add 2001:db8:b::1/64 dev net1
ip -n "$(ns hostb)" route add default via 198.51.100.254
ip -n "$(ns hostb)" route add default via 2001:db8:b::fe
ip -n "$(ns router)" route add blackhole 203.0.113.9
ip -n "$(ns router)" route add blackhole 2001:db8:c::9
# both IPV: both hosts' configurations, over that version of IP.
both() {
	local h o
	for h in a b; do
		o=$(other "$h")
		if [ "$1" = 4 ]; then
			host_yaml "$h" "${SUBNET[$h]}1/24" "${SUBNET[$h]}254" "${SUBNET[$o]}1" 203.0.113.9
		else
			host_yaml "$h" "${SUBNET6[$h]}1/64" "${SUBNET6[$h]}fe" "${SUBNET6[$o]}1" 2001:db8:c::9
		fi >"$RUN/$h.ports"
	done
}
# is_up: both hosts know where to send.
is_up() {
	local h
	for h in a b; do
		on "$h"
		[ "$(port_field "up.$(other "$h").5000" .state)" = up ] || return 1
	done
}
both 4
host a 0 <"$RUN/a.ports"
host b $(($(nproc) - 1)) <"$RUN/b.ports"
wait_for 10 is_up
for guest in reda bluea redb blueb; do
	ip -n "$(ns $guest)" address add "10.0.0.${NUMBER[${guest: -1}]}/24" dev net0
	ip -n "$(ns $guest)" link set net0 up
done
# capture FILE: from here on, what host a sends and what comes to it of tunnels; captured: and no further.
capture() {
	spawn_ns router tcpdump -i toa -nvv --immediate-mode "udp port 4789 or not ether src \
		$(in_ns router cat /sys/class/net/toa/address)" >"$RUN/$1" 2>"$RUN/tcpdump"
	CAPTURE=$SPAWNED
	wait_for 10 grep -q listening "$RUN/tcpdump"
}
captured() {
	kill "$CAPTURE"
	wait "$CAPTURE" 2>/dev/null
}
# assert_wire FILE A B THIRD OTHER: nothing on it but tunnels of both networks between A and B, of red to
# THIRD, and what matches OTHER.
assert_wire() {
	grep -E '^[0-9:.]+ ' "$RUN/$1" | grep -Ev "$5" && fail "on the wire beside tunnels: above"
	grep -oE '[0-9a-f.:]+\.[0-9]+ > [0-9a-f.:]+\.[0-9]+: .*VXLAN.*' "$RUN/$1" >"$RUN/tunnels"
	[ -s "$RUN/tunnels" ] || fail "no tunnels on the wire: $(head -50 "$RUN/$1")"
	grep -Ev "^($2\.[0-9]+ > $3|$3\.[0-9]+ > $2)\.4789: .*VXLAN, flags \[I\] \(0x08\), vni (5000|16777215)$|
^$2\.[0-9]+ > $4\.4789: .*VXLAN, flags \[I\] \(0x08\), vni 5000$" "$RUN/tunnels" &&
		fail "tunnels that should not be: above"
	return 0
}

note "both tenants reach their own, with the same addresses"
capture wire4
ping_ok reda 10.0.0.2
ping_ok bluea 10.0.0.2
for h in a b; do
	on $h
	o=$(other $h)
	[ "$(ctl fdb show -j | jq -r '[.[] | select(.type == "learned") | .network + " " + .port] | sort | join(",")')" = \
		"blue up.$o.16777215,red up.$o.5000" ] || fail "learned at $h: $(ctl fdb show)"
done
on a
[ "$(port_field up.b.5000 '.kind + " " + .peer + " " + (.vni | tostring) + " " + .underlay.neighbours')" = \
	"vxlan 198.51.100.1 5000 own" ] || fail "up.b.5000: $(ctl port show up.b.5000)"
on b
[ "$(port_field up.a.5000 .underlay.neighbours)" = kernel ] || fail "up.a.5000: $(ctl port show up.a.5000)"

note "TCP across, its segments cut and summed before they are wrapped"
# serve NAME PORT: an iperf3 for one client.
serve() {
	spawn_ns "$1" iperf3 -s -1 -p "$2" >/dev/null
	wait_for 10 in_ns "$1" sh -c "ss -ltn | grep -q :$2"
}
# across FROM: 20 MB to 10.0.0.2 over four connections.
across() {
	in_ns "$1" iperf3 -c 10.0.0.2 -P 4 -n 5M -J >"$RUN/iperf" || fail "iperf3: $(cat "$RUN/iperf")"
}
serve redb 5201
across reda
captured
assert_wire wire4 192.0.2.1 198.51.100.1 203.0.113.9 '^[0-9:.]+ (ARP,|IP .*proto UDP )'
for vni in 5000 16777215; do
	grep -q "vni $vni$" "$RUN/tunnels" || fail "no tunnel of $vni on the wire"
done
[ "$(sed -n 's/^192.0.2.1.\([0-9]*\) > .*vni 5000$/\1/p' "$RUN/tunnels" | sort -u | wc -l)" -ge 3 ] ||
	fail "all connections have one UDP port: $(sort -u "$RUN/tunnels" | head)"
grep "bad cksum\|incorrect" "$RUN/wire4" && fail "wrong checksums: above"

note "a guest's rules hold for guests of other hosts"
for guest in redb blueb; do
	spawn_ns $guest socat TCP-LISTEN:5202,reuseaddr,fork - >/dev/null
	wait_for 10 in_ns $guest sh -c "ss -ltn | grep -q :5202"
done
in_ns reda timeout 1 bash -c 'exec 5<>/dev/tcp/10.0.0.2/5202' && fail "no rule lets red in, but it got in"
on b
[ "$(drops_of up.a.5000 policy_in)" -ge 1 ] || fail "not counted as policy_in: $(ctl drops)"
[ "$(ctl drops up.a.5000 -j | jq 'map(.packets) | add')" = "$(drops_of up.a.5000 policy_in)" ] ||
	fail "up.a.5000 drops for other reasons, too: $(ctl drops)"
in_ns bluea bash -c 'exec 5<>/dev/tcp/10.0.0.2/5202' || fail "blue does not get in"

note "what is no tunnel of ours is dropped and counted"
MAC_A=$(in_ns hosta cat /sys/class/net/net1/address)
MAC_R=$(in_ns router cat /sys/class/net/toa/address)
MAC_A=${MAC_A//:/} MAC_R=${MAC_R//:/}
# tunnel FROM VNI INNER [FLAGS]: a frame in VXLAN for host a.
tunnel() {
	udp "$MAC_A" "$MAC_R" "$1" 192.0.2.1 50000 4789 "${4:-08}000000$(printf %06x "$2")00$3"
}
BROAD=$(frame $BROADCAST 020000000033)
inject() { in_ns router "$FRAMES" send toa "$2" "$1"; } # COUNT FRAME
on a
watch reda bluea
inject 3 "$(tunnel 203.0.113.77 5000 "$BROAD")"
inject 4 "$(tunnel 198.51.100.1 5001 "$BROAD")"
inject 5 "$(tunnel 203.0.113.9 16777215 "$BROAD")" # a peer, but not of this network
inject 6 "$(tunnel 198.51.100.1 5000 "$BROAD" 0c)"
good=$(tunnel 198.51.100.1 5000 "$BROAD")
inject 8 "${good:0:${#good}-2}5a"
inject 9 "$(tunnel 198.51.100.1 5000 "${BROAD:0:20}")"
inject 2 "$(tunnel 198.51.100.1 5000 "$(frame $BROADCAST 020000000044)")" # who lives behind another peer
wait_for 10 eval '[ "$(drops_of up.b.5000 src_mac_static)" = 2 ]'
[ "$(ctl fdb show -j | jq -r '.[] | select(.mac == "02:00:00:00:00:44") | .port + " " + .type')" = \
	"up.third.5000 static" ] || fail "$(ctl fdb show)"
counted() { port_field up.b.5000 ".underlay.rx_$1"; }
for expect in unknown_peer:3 unknown_vni:9 flags:6 checksum:8 malformed:9; do
	wait_for 10 eval '[ "$(counted ${expect%:*})" = ${expect#*:} ]'
done

note "a frame for many comes out of its tunnel once, and goes into no other"
spawn_ns router tcpdump -i toa -nnl --immediate-mode "src 192.0.2.1" >"$RUN/horizon" 2>"$RUN/tcpdump"
HORIZON=$SPAWNED
wait_for 10 grep -q listening "$RUN/tcpdump"
inject 2 "$(tunnel 203.0.113.9 5000 "$BROAD")"
inject 1 "$(tunnel 203.0.113.9 5000 "$(frame $BROADCAST 020000000033 $MARK)")"
wait "${WATCHERS[reda]}" || fail "the frame that ends the watch did not reach reda"
assert_seen reda 2
send bluea "$(frame $BROADCAST "$(mac_of 1)" $MARK)" # to b, so that what was before is on the wire
wait_for 10 grep -q "vni 16777215" "$RUN/horizon"
kill "$HORIZON"
grep "vni 5000" "$RUN/horizon" && fail "out of one tunnel into another: above"
[ "$(port_field up.third.5000 .rx.packets)" = 3 ] || fail "$(ctl port show up.third.5000)"
[ "$(port_field up.b.5000 .state)" = up ] || fail "$(ctl port show up.b.5000)"
assert_seen bluea 0
for h in a b; do
	on $h
	assert_ledger
done

note "over IPv6, with checksums"
both 6
for h in a b; do
	on $h
	{
		sed '/^networks:/,$d' "$RUN/$h.yaml"
		cat "$RUN/$h.ports"
	} >"$RUN/$h.6.yaml"
	ctl config apply "$RUN/$h.6.yaml" >/dev/null 2>&1 || fail "not applied at $h"
done
wait_for 10 is_up
forget reda bluea redb blueb
capture wire6
ping_ok reda 10.0.0.2
ping_ok bluea 10.0.0.2
serve redb 5201
across reda
captured
assert_wire wire6 2001:db8:a::1 2001:db8:b::1 2001:db8:c::9 '^[0-9:.]+ IP6 .*next-header (ICMPv6|UDP) '
grep -v "udp sum ok" "$RUN/tunnels" && fail "without checksum or with a wrong one: above"

for h in a b; do
	on $h
	assert_ledger
done

note "an address that the host does not have: one message, until it has it"
on b
sed 's|local: 2001:db8:b::1/64|local: 2001:db8:b::77/64|' "$RUN/b.6.yaml" >"$RUN/b.late.yaml"
ctl config apply "$RUN/b.late.yaml" >/dev/null 2>&1 || fail "not applied"
port_field up.a.5000 .error | grep -q "the host does not have 2001:db8:b::77" || fail "$(ctl port show up.a.5000)"
in_ns hostb ping -q -c 1 -W 3 2001:db8:b::fe >/dev/null || fail "the host's own traffic is gone"
ip -n "$(ns hostb)" address add 2001:db8:b::77/64 dev net1
wait_for 10 eval '[ "$(port_field up.a.5000 .state)" = up ]'

kill "${PIDS[0]}" "${PIDS[1]}"
for pid in "${PIDS[0]}" "${PIDS[1]}"; do
	wait "$pid" || fail "vswitchd ended with $? on SIGTERM"
done
exit 0

#!/bin/bash
# Two switches joined by two cables that their uplinks use as one: active-backup, where a cable is
# pulled and another takes over, and LACP, where both are used as far as the far end agrees. Members
# stand on the kernel's interfaces (net_af_packet over veth pairs).
. "$(dirname "$0")/lib.bash"

CABLE=vb$$
test_cleanup() {
	local link
	for link in a0 a1 a2 b0 b1; do ip link del "$CABLE$link" 2>/dev/null; done
}
# cable END END: both quiet and up.
cable() {
	local end
	ip link add "$CABLE$1" type veth peer name "$CABLE$2" || skip "cannot make veth pairs"
	for end in "$@"; do ip link set "$CABLE$end" addrgenmode none up; done
}
on() { SOCK=$RUN/$1.sock; }
# host NAME NUMBER BOND: a switch with a guest of that number, whose uplink is that bond.
host() {
	on "$1"
	{
		vswitch_section "$(($2 == 1 ? 0 : $(nproc) - 1))" | sed "s|$RUN/state|$RUN/$1.state|; s|$RUN/eve|$RUN/$1|"
		cat <<-END
			networks:
			  - {name: red, vlan: 100}
			ports:
			$(port_yaml "$1" red "mac: \"02:00:00:00:00:0$2\", ips: [10.0.0.$2]")
			uplinks:
			  - {name: up, bond: $3}
		END
	} >"$RUN/$1.yaml"
	BUFFERS=8192 "$VSWITCH_BUILD/vswitchd" -c "$RUN/$1.yaml" >>"$RUN/vswitchd.log" 2>&1 &
	PIDS+=("$!")
	wait_for 20 ctl status
	[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
	ip -n "$(ns "$1")" address add "10.0.0.$2/24" dev net0
	ip -n "$(ns "$1")" link set net0 up
}
CONNECTIONS=16384
members() { echo "\"net_af_packet0,iface=$CABLE${1}0\", \"net_af_packet1,iface=$CABLE${1}1\""; }
states() { port_field up.100 '[.members[].state] | join(" ")'; }
both_are() { # leaves it at host b
	local side
	for side in a b; do
		on "$side"
		[ "$(states)" = "$1" ] || return 1
	done
}
reaches() { in_ns a ping -q -c 1 -W 1 10.0.0.2; }
tx_of() { on "$1" && port_field up.100 ".members[$2].tx_packets"; }

ns_quiet a b
cable a0 b0
cable a1 b1

note "active-backup: the first member carries all"
host a 1 "{mode: active-backup, members: [$(members a)], primary: \"net_af_packet0,iface=${CABLE}a0\"}"
host b 2 "{mode: active-backup, members: [$(members b)], primary: \"net_af_packet0,iface=${CABLE}b0\"}"
wait_for 20 both_are "active backup"
wait_for 10 reaches
on a
[ "$(port_field up.100 '[.state, .device.driver, .kind] | join(" ")')" = "up net_bonding uplink" ] ||
	fail "$(ctl port show up.100)"
[ "$(tx_of a 1)" = 0 ] || fail "the backup sends: $(ctl port show up.100)"
ctl uplink list | grep -q "bond of 2" || fail "$(ctl uplink list)"
ctl uplink show up -j | jq -e '[.members[].state] == ["active", "backup"]' >/dev/null || fail "$(ctl uplink show up)"

note "its cable is pulled: the other takes over, and gives back"
ip link set "${CABLE}a0" down
wait_for 20 both_are "out active"
on a
port_field up.100 '.members[0].error' | grep -q "has no carrier" || fail "$(ctl port show up.100)"
[ "$(port_field up.100 .state)" = up ] || fail "$(ctl port show up.100)"
wait_for 10 reaches
[ "$(tx_of a 1)" -gt 0 ] || fail "nothing went by the other member: $(ctl port show up.100)"
ip link set "${CABLE}a0" up
wait_for 20 both_are "active backup"
wait_for 10 reaches

note "both are pulled: the link is down, and up again with one"
ip link set "${CABLE}a0" down
ip link set "${CABLE}a1" down
for side in a b; do
	on "$side"
	wait_for 20 eval '[ "$(port_field up.100 .state)" = down ]'
done
ip link set "${CABLE}a1" up
wait_for 20 both_are "out active"
wait_for 10 reaches

note "an interface that is gone, and comes back"
ip link del "${CABLE}a0"
on a
wait_for 20 eval 'port_field up.100 ".members[0].error" | grep -q "there is no interface"'
cable a0 b0
wait_for 20 both_are "active backup"
wait_for 10 reaches
ip -d link show "${CABLE}a0" | grep -q "promiscuity [1-9]" || fail "not promiscuous"

note "an MTU that members do not take"
on a
ctl network set red mtu=1501 >/dev/null || fail "not applied"
port_field up.100 .error | grep -q "takes packets of 1500 bytes at most, and a network of the uplink has 1501" ||
	fail "$(ctl port show up.100)"
ctl network set red mtu= >/dev/null || fail "not applied"
wait_for 20 both_are "active backup"

note "a member less by command, then a device that is no member"
on a
ctl uplink set up bond.members="net_af_packet1,iface=${CABLE}a1" bond.primary= >/dev/null || fail "not changed"
wait_for 20 eval '[ "$(states)" = active ]'
wait_for 10 eval '! ip link show "${CABLE}a0" | grep -q PROMISC'
refused uplink set up device=net_ring0
grep -q "uplinks\[0\].bond: is given beside device" "$RUN/refused" || fail "$(cat "$RUN/refused")"

note "LACP: both are used, when both ends have agreed"
for side in a b; do
	on "$side"
	ctl uplink set up bond.mode=lacp bond.primary= bond.members="$(members "$side" | tr -d '" ')" >/dev/null ||
		fail "not changed"
done
wait_for 30 both_are "active active"
wait_for 10 reaches
on a
port_field up.100 '.members[0].lacp.actor | join(" ")' | grep -q "collecting distributing" ||
	fail "$(ctl port show up.100)"
[ "$(port_field up.100 '[.members[].lacp.partner_system] | unique | length')" = 1 ] ||
	fail "not one partner: $(ctl port show up.100)"
[ "$(port_field up.100 .error)" = null ] || fail "$(ctl port show up.100)"
# Connections are spread: enough of them that all by one member would be a wonder.
before=$(tx_of a 0) other=$(tx_of a 1)
for port in {3000..3031}; do
	in_ns a bash -c "echo hello >/dev/udp/10.0.0.2/$port" 2>/dev/null
done
wait_for 10 eval '[ "$(tx_of a 0)" -ge "$((before + 4))" ] && [ "$(tx_of a 1)" -ge "$((other + 4))" ]'

note "a member whose far end is silent is not used"
on a
cable a2 b2
ctl uplink set up bond.members="net_af_packet0,iface=${CABLE}a0,net_af_packet2,iface=${CABLE}a2" >/dev/null ||
	fail "not changed"
ip link set "${CABLE}a1" down # else the far end would use it until no LACPDU has come for 90 s
wait_for 30 eval 'on a; [ "$(states)" = "active waiting" ]'
wait_for 10 reaches
[ "$(port_field up.100 '.members[1].lacp.partner_system')" = null ] || fail "$(ctl port show up.100)"

note "kill -9 of one end: when it is back both agree again"
kill -9 "${PIDS[1]}"
wait "${PIDS[1]}" 2>/dev/null
host b 2 "{mode: lacp, members: [$(members b)]}"
HOST_B=${PIDS[-1]}
wait_for 60 eval 'on b; [ "$(states)" = "active out" ]'
wait_for 20 reaches

for side in a b; do
	on "$side"
	assert_ledger
done
kill "${PIDS[0]}" "$HOST_B"
for pid in "${PIDS[0]}" "$HOST_B"; do
	wait "$pid" || fail "vswitchd ended with $? on SIGTERM"
done
for end in a0 a1 a2; do # of b's the one that was killed has left them so
	ip -d link show "$CABLE$end" | grep -q "PROMISC" && fail "left behind: $(ip -d link show "$CABLE$end")"
done
exit 0

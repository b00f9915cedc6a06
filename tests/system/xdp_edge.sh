#!/bin/bash
# A host shares its NIC (a veth pair, in a namespace that is the host) with its guests: the host's own
# traffic passes whatever the switch does, a source in quarantine ends in the kernel for guests alone,
# also while the switch is dead, and a killed switch's program is replaced by the next one's.
. "$(dirname "$0")/lib.bash"

for tool in bpftool jq; do
	command -v "$tool" >/dev/null || skip "needs $tool"
done
ns_quiet host net guest free
ip link add "vx$$" type veth peer name "vy$$" || skip "cannot make veth pairs"
ip link set "vx$$" netns "$(ns host)" name nic
ip link set "vy$$" netns "$(ns net)" name wire0
# up NAMESPACE INTERFACE ADDRESS...
up() {
	local address namespace interface=$2
	namespace=$(ns "$1")
	shift 2
	ip -n "$namespace" link set "$interface" addrgenmode none up
	for address; do ip -n "$namespace" address add "$address/24" dev "$interface"; done
}
up host nic 10.0.0.1
up net wire0 10.0.0.2 10.0.0.66
printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "$(ns host)" "$VSWITCH_BUILD/vswitchd" >"$RUN/vswitchd"
chmod +x "$RUN/vswitchd"
VSWITCHD=$RUN/vswitchd BUFFERS=8192 CONNECTIONS=16384
{
	vswitch_section
	cat <<-END
		networks: [{name: lan}]
		ports:
		$(port_yaml guest lan "mac: \"02:00:00:00:00:0a\", ips: [10.0.0.10], default-in: allow")
		$(port_yaml free lan "default-in: allow")
		uplinks: [{name: up, interface: nic, untagged: lan}]
	END
} >"$RUN/vswitch.yaml"
is_up() { [ "$(port_field up .state)" = up ]; }
start() {
	switch_spawn
	wait_for 10 is_up
	ip -n "$(ns guest)" address show dev net0 | grep -q 10.0.0.10 || up guest net0 10.0.0.10
	ip -n "$(ns free)" address show dev net0 | grep -q 10.0.0.11 || up free net0 10.0.0.11
}
program() { ip -n "$(ns host)" -j link show nic | jq '.[0].xdp.prog.id // 0'; }
reach() { in_ns net ping -q -c 1 -W 1 -I "$1" "$2" >/dev/null 2>&1; }
reaches() { wait_for 10 reach "$1" "$2"; }
is_shut() { ! reach "$1" "$2" || fail "$1 reaches $2"; }
# in_kernel VERDICT: frames that met it, as bpftool shows them.
in_kernel() {
	local map
	for map in $(bpftool -j prog show id "$(program)" | jq '.map_ids[]'); do
		[ "$(bpftool -j map show id "$map" | jq -r .name)" = edge_counters ] &&
			bpftool -j map dump id "$map" | jq "[.[$1].formatted.values[].value] | add"
	done
}
QUARANTINED=3 # its place in EDGE_VERDICTS

note "the host and its guests are reached through one NIC"
start
reaches 10.0.0.2 10.0.0.1
reaches 10.0.0.2 10.0.0.10
port_field up '.xdp.mode' | grep -qx native || fail "$(ctl port show up)"
[ "$(port_field up .xdp.verdicts.to_switch_mac)" -ge 1 ] || fail "$(ctl port show up)"
[ "$(port_field up .xdp.id)" = "$(program)" ] || fail "another program: $(program)"

note "a guest without a configured MAC is learned"
in_ns free ping -q -c 1 -W 1 10.0.0.2 >/dev/null 2>&1
reaches 10.0.0.2 10.0.0.11

note "a source in quarantine ends in the kernel, but still reaches the host"
reaches 10.0.0.66 10.0.0.10
ctl quarantine add --network lan --address 10.0.0.66 --level host >/dev/null || fail "not added"
is_shut 10.0.0.66 10.0.0.10
reaches 10.0.0.66 10.0.0.1
reaches 10.0.0.2 10.0.0.10
[ "$(port_field up '.xdp_sources[0].address')" = 10.0.0.66 ] || fail "$(ctl port show up)"
[ "$(port_field up '.xdp_sources[0].packets')" -ge 1 ] || fail "$(ctl port show up)"
[ "$(in_kernel $QUARANTINED)" -ge 1 ] || fail "bpftool: $(in_kernel $QUARANTINED)"
[ "$(ctl quarantine list -j | jq '.[0].dropped')" -ge 1 ] || fail "$(ctl quarantine list -j)"

note "with the switch dead the host goes on, and so does quarantine"
before=$(program)
switch_kill
[ "$(program)" = "$before" ] || fail "the program is gone"
reaches 10.0.0.2 10.0.0.1
dropped=$(in_kernel $QUARANTINED)
# Nobody answers for the guest any more: its address must be known.
ip -n "$(ns net)" neigh replace 10.0.0.10 lladdr 02:00:00:00:00:0a dev wire0
is_shut 10.0.0.66 10.0.0.10
[ "$(in_kernel $QUARANTINED)" -gt "$dropped" ] || fail "not dropped while the switch was dead"

note "the next switch puts its own program in that one's place"
start
[ "$(program)" != "$before" ] && [ "$(program)" != 0 ] || fail "program $(program)"
bpftool prog show id "$before" >/dev/null 2>&1 && fail "the old program is still there"
reaches 10.0.0.2 10.0.0.10
is_shut 10.0.0.66 10.0.0.10
[ "$(port_field up '.xdp_sources[0].packets')" -ge 1 ] || fail "$(ctl port show up)"

note "released it reaches guests again"
ctl quarantine release --network lan --address 10.0.0.66 >/dev/null || fail "not released"
reaches 10.0.0.66 10.0.0.10
[ "$(port_field up '.xdp_sources | length')" = 0 ] || fail "$(ctl port show up)"

assert_ledger
switch_stop
[ "$(program)" = 0 ] || fail "program $(program) left behind"
reaches 10.0.0.2 10.0.0.1
exit 0

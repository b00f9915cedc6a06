#!/bin/bash
# Tenant networks: the same MACs and addresses in two of them, and no frame crosses, of whatever
# kind. Moving a port to another network takes effect with the command's return.
# Catalogue: 38 (same MAC in two tenants), and issue item 4.
. "$(dirname "$0")/lib.bash"

ns_quiet a1 a2 a3 b1 b2 b3
switch_start <<END
networks:
  - {name: red, tenant: acme, $TYPES}
  - {name: blue, tenant: umbrella, $TYPES}
ports:
$(port_yaml a1 red "mac: 02:00:00:00:00:01")
$(port_yaml a2 red "mac: 02:00:00:00:00:02")
$(port_yaml a3 red)
$(port_yaml b1 blue "mac: 02:00:00:00:00:01")
$(port_yaml b2 blue "mac: 02:00:00:00:00:02")
$(port_yaml b3 blue)
END
for n in a b; do
	for i in 1 2 3; do
		ip -n "$(ns $n$i)" address add 10.0.0.$i/24 dev net0
	done
done

note "the same addresses in both answer, each in its own"
ping_ok a1 10.0.0.2
ping_ok b1 10.0.0.2
ping_ok a3 10.0.0.1
ping_ok b3 10.0.0.1
[ "$(ctl fdb show -j --network red | jq 'map(.mac) | sort | unique | length')" = 3 ] ||
	fail "red's MAC table: $(ctl fdb show --network red)"
[ "$(ctl fdb show -j | jq '[.[] | select(.mac == "02:00:00:00:00:01") | .port] | sort == ["a1", "b1"]')" = true ] ||
	fail "02:00:00:00:00:01 is not in both tables: $(ctl fdb show)"

note "with the sender's address, who is asked is the one in the sender's network"
# b2 goes silent: what a1 gets from 10.0.0.2 can only be a2.
ip -n "$(ns b2)" link set net0 down
ping_ok a1 10.0.0.2
ping_fails b1 10.0.0.2
ip -n "$(ns b2)" link set net0 up

note "broadcast, multicast, unknown unicast, ARP and what is known: nothing crosses"
watch a2 a3 b1 b2 b3
before=$(received a1)
send a1 "$(frame $BROADCAST "$(mac_of 1)")" 10
send a1 "$(frame 01005e000001 "$(mac_of 1)")" 10
send a1 "$(frame 3333000000fb "$(mac_of 1)")" 10
send a1 "$(frame 020000000099 "$(mac_of 1)")" 10
send a1 "$(frame "$(mac_of 2)" "$(mac_of 1)")" 10
arp=$(frame $BROADCAST "$(mac_of 1)" 0806 "00010800060400010200000000010a0000010000000000000a000009")
send a1 "$arp" 10
settled a1 $((before + 60))
watched a1 a2 a3
watched b3 b1 b2
watched b1 b3
assert_seen a2 40 # a2's MAC is configured, so it gets no unknown unicast
assert_seen a2 10 "^$arp"
assert_seen a3 40
assert_seen a3 10 "^$arp"
for port in b1 b2 b3; do
	assert_seen $port 0
	assert_seen $port 0 "^$arp"
done

note "a port that changes its network is in the new one at once, and in the old one no more"
ctl port set a3 network=blue
watch a2 b1 b2 a3
send a3 "$(frame $BROADCAST 020000000077)" 5
watched a1 a2
watched b3 b1 b2 a3
assert_seen a2 0
assert_seen b1 5
assert_seen b2 5
ping_fails a1 -w 1 10.0.0.3
[ "$(ctl fdb show -j --network red | jq '[.[] | select(.port == "a3")] | length')" = 0 ] ||
	fail "a3 is still in red's MAC table"
[ "$(ctl fdb show -j --network blue | jq '[.[] | select(.mac == "02:00:00:00:00:77" and .port == "a3")] | length')" = 1 ] ||
	fail "a3 was not learned in blue: $(ctl fdb show --network blue)"
ctl port set a3 network=red
forget a1 a3
ping_ok a1 10.0.0.3

assert_ledger
switch_stop

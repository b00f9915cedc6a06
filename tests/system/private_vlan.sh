#!/bin/bash
# Isolated ports reach promiscuous ones and nobody else, whatever the frame: unicast, broadcast, ARP,
# neighbour discovery. Frames that no bridge forwards, tagged ones and those of impossible senders
# are dropped with their reason.
# Catalogue: 42 (reserved multicast), 39 (a MAC that is configured elsewhere), and issue item 4.
. "$(dirname "$0")/lib.bash"

ns_quiet i1 i2 p1 n1 t1
switch_start <<END
networks: [{name: office, $TYPES}]
ports:
$(port_yaml i1 office "mac: 02:00:00:00:00:01, isolated: true")
$(port_yaml i2 office "mac: 02:00:00:00:00:02, isolated: true")
$(port_yaml p1 office "mac: 02:00:00:00:00:03, promiscuous: true")
$(port_yaml n1 office "mac: 02:00:00:00:00:04, trusted: true")
$(port_yaml t1 office "mac: 02:00:00:00:00:05, tagged: pass")
END
i=0
for port in i1 i2 p1 n1 t1; do
	i=$((i + 1))
	ip -n "$(ns $port)" address add 10.0.0.$i/24 dev net0
done

note "ping: an isolated port reaches the promiscuous one only, others reach all but isolated ones"
ping_ok i1 10.0.0.3
ping_ok p1 10.0.0.2
ping_ok n1 10.0.0.3
ping_fails i1 10.0.0.2
ping_fails i1 10.0.0.4
ping_fails n1 10.0.0.1

note "broadcast, ARP and neighbour discovery of an isolated port reach the promiscuous one alone"
watch i2 p1 n1
before=$(received i1)
send i1 "$(frame $BROADCAST "$(mac_of 1)")" 10
arp=$(frame $BROADCAST "$(mac_of 1)" 0806 "00010800060400010200000000010a0000010000000000000a000009")
send i1 "$arp" 10
# A neighbour solicitation for fe80::2, from fe80::1.
nd=$(frame 3333ff000002 "$(mac_of 1)" 86dd "6000000000203aff\
fe800000000000000000000000000001ff0200000000000000000001ff000002\
8700000000000000fe8000000000000000000000000000020101$(mac_of 1)")
send i1 "$nd" 10
# ... and unicast with the other's MAC, which needs no answer.
send i1 "$(frame "$(mac_of 2)" "$(mac_of 1)")" 10
send i1 "$(frame "$(mac_of 4)" "$(mac_of 1)")" 10
settled i1 $((before + 50))
watched i1 p1
watched p1 i2 n1
assert_seen p1 10
assert_seen p1 10 "^$arp"
assert_seen p1 10 "^$nd"
for port in i2 n1; do
	assert_seen $port 0
	assert_seen $port 0 "^$arp"
	assert_seen $port 0 "^$nd"
done
[ "$(drops_of i1 isolated)" -ge 20 ] || fail "no drops as isolated: $(ctl drops i1)"

note "the setting changes with the command, and back"
ctl port set i1 isolated=false
forget i1 n1
ping_ok i1 10.0.0.4
ctl port set i1 isolated=true
ping_fails i1 10.0.0.4

note "link-local control frames are dropped, the first address behind them is not"
watch p1
before=$(received n1)
reserved=$(drops_of n1 reserved_multicast)
for last in 00 01 02 03 0e 0f; do
	send n1 "$(frame 0180c20000$last "$(mac_of 4)")" 2
done
send n1 "$(frame 0180c2000010 "$(mac_of 4)")" 2
settled n1 $((before + 14))
watched t1 p1
assert_seen p1 2
assert_drops n1 reserved_multicast $((reserved + 12))

note "VLAN tags pass only from a port that may send them"
watch p1
before=$(received n1)
send n1 "$(frame "$(mac_of 3)" "$(mac_of 4)" 8100 "0064$TYPE")" 3
settled n1 $((before + 3))
assert_drops n1 vlan_tagged 3
send t1 "$(frame "$(mac_of 3)" "$(mac_of 5)" 8100 "0064$TYPE")" 3
watched t1 p1
assert_seen p1 3 "^$(mac_of 3)$(mac_of 5)81000064$TYPE"

note "senders that can't be, and a MAC that is configured on another port"
watch p1
before=$(received n1)
send n1 "$(frame "$(mac_of 3)" 000000000000)" 2
send n1 "$(frame "$(mac_of 3)" 030000000001)" 3
send n1 "$(frame "$(mac_of 3)" "$(mac_of 2)")" 4
send n1 "$(frame "$(mac_of 4)" "$(mac_of 4)")" 5
settled n1 $((before + 14))
watched t1 p1
assert_seen p1 0
assert_drops n1 src_mac_invalid 5
assert_drops n1 src_mac_static 4
assert_drops n1 hairpin 5
[ "$(ctl fdb show -j | jq -r '.[] | select(.mac == "02:00:00:00:00:02") | .port')" = i2 ] ||
	fail "i2's MAC was taken: $(ctl fdb show)"

assert_ledger
switch_stop

#!/bin/bash
# Rules that name a group mean the addresses of its ports as they come and go, by identity: of this
# tenant only, never what a pair of all addresses covers, and nothing of a port that is gone.
# Catalogue: 54, 55, 62; of complaints: 6, 7 and 13.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2) C=$(mac_of 3)
D=$(mac_of 4)
ns_quiet a b c d x y
switch_start <<END
firewall: {pick-up: 0}
networks:
  - {name: office, tenant: acme, $TYPES}
  - {name: lab, tenant: other, $TYPES}
groups:
  - {name: clients, tenant: acme}
  - name: servers
    tenant: acme
    rules:
      - {name: ours, direction: in, protocol: udp, ports: 445, remote: {group: clients}, action: allow}
      - {direction: in, protocol: udp, ports: 446, remote: {group: servers}, action: allow}
      - {direction: in, protocol: udp, ports: 447, remote: {set: clients-of-old}, action: allow}
  - {name: clients, tenant: other}
  - name: servers
    tenant: other
    rules:
      - {name: theirs, direction: in, protocol: udp, ports: 445, remote: {group: clients}, action: deny, log: true}
      - {direction: in, protocol: udp, ports: 448, remote: {group: clients}, action: allow}
sets:
  - {name: clients-of-old, tenant: acme, addresses: [10.0.0.3, "fd00::3"]}
ports:
$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], groups: [clients], pairs: [{ip: 10.0.7.0/24}]")
$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], groups: [servers]")
$(port_yaml c office "mac: 02:00:00:00:00:03, ips: [10.0.0.3, 'fd00::3']")
$(port_yaml d office "mac: 02:00:00:00:00:04, ips: [10.0.0.4], groups: [clients], pairs: [{ip: 0.0.0.0/0}, {ip: '::/0'}]")
$(port_yaml x lab "mac: 02:00:00:00:00:01, ips: [10.0.0.1], groups: [clients]")
$(port_yaml y lab "mac: 02:00:00:00:00:02, ips: [10.0.0.2], groups: [servers]")
END
next=10000
# in_or_not yes|no NAME FROM-MAC FROM TO PORT: as a probe of UDP.
in_or_not() {
	local frame
	next=$((next + 1))
	frame=$(udp "$B" "$3" "$4" "$5" $next "$6")
	if [ "$1" = yes ]; then passes "$2" "$frame"; else drops policy_in "$2" "$frame"; fi
}
set_port() { ctl port set "$@" >/dev/null 2>&1 || fail "port set $*"; }

note "members are let in in both families, with their pairs; others are not"
in_or_not yes "a member" "$A" 10.0.0.1 10.0.0.2 445
in_or_not yes "its IPv6 address" "$A" fd00::1 fd00::2 445
in_or_not yes "a pair of it" "$A" 10.0.7.9 10.0.0.2 445
in_or_not no "by a rule of another group" "$A" 10.0.0.1 10.0.0.2 446
in_or_not no "by a set that it is not in" "$A" 10.0.0.1 10.0.0.2 447
in_or_not no "a link-local address, which is nobody's" "$A" fe80::1 fd00::2 445
probe a b
in_or_not no "no member" "$C" 10.0.0.3 10.0.0.2 445
in_or_not no "nor by IPv6" "$C" fd00::3 fd00::2 445
in_or_not yes "in the set" "$C" 10.0.0.3 10.0.0.2 447
in_or_not yes "in the set by IPv6" "$C" fd00::3 fd00::2 447
probe c b

note "6, 62: the same names, MACs and addresses in another tenant are another group"
in_or_not no "denied there" "$A" 10.0.0.1 10.0.0.2 445
in_or_not yes "allowed there" "$A" 10.0.0.1 10.0.0.2 448
probe x y
wait_for 5 jq -se 'map(select(.event_type == "drop")) | length == 1 and (.[0].metadata | .tenant == "other" and
	.from_port == "x" and .group == "servers" and .rule_name == "theirs")' "$RUN/eve.json"
in_or_not no "what only the other tenant allows" "$A" 10.0.0.1 10.0.0.2 448
probe a b

note "7: who joins is in at once, who leaves is out at once, with connections that exist"
set_port c groups=clients
in_or_not yes "joined" "$C" 10.0.0.3 10.0.0.2 445
live=$(udp "$B" "$C" 10.0.0.3 10.0.0.2 5000 445)
passes "a connection" "$live"
in_or_not yes "joined with IPv6" "$C" fd00::3 fd00::2 445
probe c b
set_port x groups=
set_port c ips=10.0.0.33
in_or_not no "with an address less" "$C" 10.0.0.33 10.0.0.2 447
in_or_not yes "and its new one" "$C" 10.0.0.33 10.0.0.2 445
probe c b
set_port c ips=10.0.0.3,fd00::3 groups=
in_or_not no "left" "$C" 10.0.0.3 10.0.0.2 445
in_or_not no "left with IPv6" "$C" fd00::3 fd00::2 445
drops policy_revoked "a connection from before" "$live"
probe c b
in_or_not no "x left its own group" "$A" 10.0.0.1 10.0.0.2 448
probe x y
in_or_not yes "which is none of a's" "$A" 10.0.0.1 10.0.0.2 445
probe a b

note "members on other hosts are let in by address, in both families, as long as they are in the group"
edit_members() { ctl group member "$@" --tenant acme >/dev/null 2>&1 || fail "group member $*"; }
ctl group show clients --tenant other >"$RUN/theirs"
edit_members add clients 10.0.0.3 fd00::3,10.0.8.0/24
in_or_not yes "a member" "$C" 10.0.0.3 10.0.0.2 445
passes "with a connection" "$live"
in_or_not yes "its IPv6 address" "$C" fd00::3 fd00::2 445
in_or_not no "of another group's rule" "$C" 10.0.0.3 10.0.0.2 446
probe c b
in_or_not no "the tenant's own, of another" "$A" 10.0.0.1 10.0.0.2 448
probe x y
[ "$(ctl group show clients --tenant other)" = "$(cat "$RUN/theirs")" ] || fail "another tenant's group has changed"
[ "$(ctl group list --tenant acme -j | jq -c '[.[] | select(.name == "clients") | .ports, .addresses]')" = '[2,3]' ] ||
	fail "$(ctl group list)"
edit_members del clients 10.0.0.3
in_or_not no "one that left" "$C" 10.0.0.3 10.0.0.2 445
in_or_not yes "its IPv6 address, which did not" "$C" fd00::3 fd00::2 445
drops policy_revoked "its connection" "$live"
probe c b
edit_members del clients fd00::3 10.0.8.0/24
refused group member add clients 10.0.0.3/24 --tenant acme
refused group member add clients b --tenant acme

note "13: a pair of all addresses lets its port send, and opens nothing"
in_or_not yes "its own address" "$D" 10.0.0.4 10.0.0.2 445
in_or_not no "one that its pair covers" "$D" 192.0.2.9 10.0.0.2 445
in_or_not no "and in IPv6" "$D" 2001:db8::9 fd00::2 445
in_or_not no "nor another port's that is no member" "$D" 10.0.0.3 10.0.0.2 445
in_or_not yes "but what is in a set by itself" "$D" 10.0.0.3 10.0.0.2 447
probe d b
for pair in 224.0.0.0/4 ff00::/8 239.1.1.1; do
	{ vswitch_section && echo "networks: [{name: n}]
ports: [{name: p, network: n, kernel: {interface: i}, pairs: [{ip: '$pair'}]}]"; } >"$RUN/multicast.yaml"
	refused config apply "$RUN/multicast.yaml"
	grep -q "multicast.yaml:[0-9]*:[0-9]*: .*pairs\[0\]" "$RUN/refused" || fail "a pair of $pair: $(cat "$RUN/refused")"
done

note "55: of a port that was removed nothing is left, and another with its addresses is another"
set_port c groups=clients
in_or_not yes "as a member" "$C" 10.0.0.3 10.0.0.2 445
passes "with a connection" "$live"
probe c b
is_gone() { [ "$(ctl conn list -j | jq '[.connections[] | select(.from_address == "10.0.0.3" and .to_port == 445)] | length')" = 0 ]; }
is_gone && fail "c has no connections: $(ctl conn list)"
ctl port del c >/dev/null 2>&1 || fail "port del"
wait_for 10 is_gone
ctl port add c network=office kernel.interface=net0 kernel.netns="$(ns c)" mac=02:00:00:00:00:03 \
	ips=10.0.0.3,fd00::3 >/dev/null 2>&1 || fail "port add"
is_up() { [ "$(port_field "$1" .state)" = up ]; }
wait_for 10 is_up c
in_or_not no "the new port's" "$C" 10.0.0.3 10.0.0.2 445
in_or_not no "the new port's, over IPv6" "$C" fd00::3 fd00::2 445
drops policy_in "nor the old one's connection" "$live"
probe c b
refused group del clients --tenant acme

assert_ledger
switch_stop

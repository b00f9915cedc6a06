#!/bin/bash
# What a guest may send at all: its own MAC and addresses and its pairs', the ethertypes of its
# network, and neither a DHCP server's nor a router's part. Counted by kind; nothing false is learned.
# Catalogue: 39, 49, 50, 53; of complaints: 10, 11, 12, 15, 16 and 17.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2) T=$(mac_of 3) N=$(mac_of 4) OTHER=$(mac_of 9)
VRRP=00005e000101 VRRP_MAC=00:00:5e:00:01:01
ALL=ffffffffffff
ns_quiet a b t n v
{
	vswitch_section
	cat <<-END
		firewall: {pick-up: 0}
		networks:
		  - {name: office, tenant: acme, $TYPES}
		  - {name: any, tenant: acme, ethertypes: [any]}
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], tagged: pass, pairs: [{ip: 10.0.0.100, mac: '$VRRP_MAC'}, {ip: 'fd00::100', mac: '$VRRP_MAC'}, {ip: 10.0.8.0/24}, {ip: 10.0.9.1-10.0.9.9}]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], default-in: allow")
		$(port_yaml t office "mac: 02:00:00:00:00:03, trusted: true")
		$(port_yaml n office "mac: 02:00:00:00:00:04, default-in: allow")
		$(port_yaml v any "mac: 02:00:00:00:00:05, ips: [10.0.0.5]")
		$(port_yaml w any "mac: 02:00:00:00:00:06, default-in: allow" | sed "s/$(ns w)/$(ns v)/; s/net0/net1/")
	END
} >"$RUN/vswitch.yaml"
switch_spawn

note "10: a port without addresses is warned of"
grep -q "warning: .*ports\[3\].*ips" "$RUN/vswitchd.log" || fail "no warning: $(grep warning "$RUN/vswitchd.log")"

# unicast and broadcast ones, from a to b
mac() { drops spoof_mac "$@"; }
v4() { drops spoof_ipv4 "$@"; }
v6() { drops spoof_ipv6 "$@"; }
bad_arp() { drops spoof_arp "$@"; }
nd() { drops spoof_nd "$@"; }
dhcp() { drops rogue_dhcp "$@"; }
ra() { drops rogue_ra "$@"; }

note "MAC and source addresses, with the pairs"
passes "its own IPv4" "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 1 2)"
passes "its own IPv6" "$(udp "$B" "$A" fd00::1 fd00::2 1 2)"
passes "any link-local address" "$(udp "$B" "$A" fe80::1234 fd00::2 1 2)"
passes "a pair's address from its MAC" "$(udp "$B" $VRRP 10.0.0.100 10.0.0.2 1 2)"
passes "a pair's IPv6 address from its MAC" "$(udp "$B" $VRRP fd00::100 fd00::2 1 2)"
passes "a prefix's address" "$(udp "$B" "$A" 10.0.8.77 10.0.0.2 1 2)"
passes "a range's last address" "$(udp "$B" "$A" 10.0.9.9 10.0.0.2 1 2)"
mac "another's MAC" "$(udp "$B" "$B" 10.0.0.1 10.0.0.2 1 2)"
mac "nobody's MAC" "$(udp "$B" "$OTHER" 10.0.0.1 10.0.0.2 1 2)"
mac "nobody's MAC, no IP" "$(frame $ALL "$OTHER" $TYPE)"
v4 "another's address" "$(udp "$B" "$A" 10.0.0.2 10.0.0.2 1 2)"
v4 "beyond the range" "$(udp "$B" "$A" 10.0.9.10 10.0.0.2 1 2)"
v4 "beyond the prefix" "$(udp "$B" "$A" 10.0.7.255 10.0.0.2 1 2)"
v4 "the pair's address from the wrong MAC" "$(udp "$B" "$A" 10.0.0.100 10.0.0.2 1 2)"
v4 "its own address from the pair's MAC" "$(udp "$B" $VRRP 10.0.0.1 10.0.0.2 1 2)"
v4 "no address, and no DHCP" "$(udp "$B" "$A" 0.0.0.0 10.0.0.2 1 2)"
v4 "loopback" "$(udp "$B" "$A" 127.0.0.1 10.0.0.2 1 2)"
v4 "a group" "$(udp "$B" "$A" 224.0.0.5 10.0.0.2 1 2)"
v4 "in a fragment" "$(ipv4 "$B" "$A" 10.0.0.77 10.0.0.2 17 0001000200100000aaaaaaaa 2000)"
v6 "another's IPv6 address" "$(udp "$B" "$A" fd00::2 fd00::2 1 2)"
v6 "the pair's IPv6 address from the wrong MAC" "$(udp "$B" "$A" fd00::100 fd00::2 1 2)"
v6 "behind an extension header" "$(ipv6 "$B" "$A" fd00::77 fd00::2 0 "1100010400000000$(printf '%04x%04x00080000' 1 2)")"
probe a b

note "ARP, also behind a VLAN tag; RARP"
tagged() { echo "${1:0:24}81000064${1:24}"; }
passes "ARP request" "$(arp $ALL "$A" 1 "$A" 10.0.0.1 000000000000 10.0.0.2)"
passes "gratuitous ARP" "$(arp $ALL "$A" 1 "$A" 10.0.0.1 000000000000 10.0.0.1)"
passes "ARP probe for its own" "$(arp $ALL "$A" 1 "$A" 0.0.0.0 000000000000 10.0.0.1)"
passes "ARP answer" "$(arp "$B" "$A" 2 "$A" 10.0.0.1 "$B" 10.0.0.2)"
passes "17: gratuitous ARP of the virtual router" "$(arp $ALL $VRRP 1 $VRRP 10.0.0.100 000000000000 10.0.0.100)"
passes "17: and from the port's own MAC" "$(arp $ALL "$A" 1 $VRRP 10.0.0.100 000000000000 10.0.0.100)"
passes "53: ARP behind a tag" "$(tagged "$(arp $ALL "$A" 1 "$A" 10.0.0.1 000000000000 10.0.0.3)")"
bad_arp "53: false ARP behind a tag" "$(tagged "$(arp $ALL "$A" 1 "$A" 10.0.0.2 000000000000 10.0.0.3)")"
bad_arp "another's address" "$(arp $ALL "$A" 1 "$A" 10.0.0.2 000000000000 10.0.0.3)"
bad_arp "another's address in an answer" "$(arp "$B" "$A" 2 "$A" 10.0.0.3 "$B" 10.0.0.2)"
bad_arp "another's MAC" "$(arp $ALL "$A" 1 "$B" 10.0.0.1 000000000000 10.0.0.3)"
bad_arp "the virtual address with the port's MAC" "$(arp $ALL "$A" 1 "$A" 10.0.0.100 000000000000 10.0.0.3)"
bad_arp "a probe for another's" "$(arp $ALL "$A" 1 "$A" 0.0.0.0 000000000000 10.0.0.2)"
mac "another's MAC in the frame" "$(arp $ALL "$B" 1 "$B" 10.0.0.2 000000000000 10.0.0.3)"
passes "RARP after a migration" "$(arp $ALL "$A" 3 "$A" 0.0.0.0 "$A" 0.0.0.0 8035)"
bad_arp "RARP for another" "$(arp $ALL "$A" 3 "$B" 0.0.0.0 "$B" 0.0.0.0 8035)"
bad_arp "RARP answer" "$(arp $ALL "$A" 4 "$A" 10.0.0.1 "$A" 10.0.0.1 8035)"
probe a b

note "11: neighbour discovery, MLD, router advertisements; behind extension headers and in fragments"
target() { to_hex "$1" && echo "00000000$HEX"; }
NS=3333ff000002
passes "solicitation" "$(icmp $NS "$A" fd00::1 ff02::1:ff00:2 135 0 "$(target fd00::2)0101$A")"
passes "solicitation from link-local" "$(icmp $NS "$A" fe80::1 ff02::1:ff00:2 135 0 "$(target fd00::2)0101$A")"
passes "duplicate address detection" "$(icmp 3333ff000001 "$A" :: ff02::1:ff00:1 135 0 "$(target fd00::1)")"
passes "that of a link-local address" "$(icmp 3333ff000077 "$A" :: ff02::1:ff00:77 135 0 "$(target fe80::77)")"
passes "advertisement" "$(icmp "$B" "$A" fd00::1 fd00::2 136 0 "$(target fd00::1)0201$A")"
passes "advertisement of a link-local address" "$(icmp "$B" "$A" fe80::1 fd00::2 136 0 "$(target fe80::1)0201$A")"
passes "17: of the virtual router" "$(icmp 333300000001 $VRRP fd00::100 ff02::1 136 0 "$(target fd00::100)0201$VRRP")"
passes "router solicitation" "$(icmp 333300000002 "$A" fe80::1 ff02::2 133 0 "000000000101$A")"
passes "MLD report" "$(icmp 333300000016 "$A" fe80::1 ff02::16 143 0 00000000)"
passes "MLD report from nobody yet" "$(icmp 333300000016 "$A" :: ff02::16 143 0 00000000)"
nd "advertisement of another's" "$(icmp "$B" "$A" fd00::1 fd00::2 136 0 "$(target fd00::2)0201$A")"
nd "with another's MAC" "$(icmp "$B" "$A" fd00::1 fd00::2 136 0 "$(target fd00::1)0201$B")"
nd "solicitation with another's MAC" "$(icmp $NS "$A" fd00::1 ff02::1:ff00:2 135 0 "$(target fd00::2)0101$B")"
nd "duplicate address detection of another's" "$(icmp $NS "$A" :: ff02::1:ff00:2 135 0 "$(target fd00::2)")"
nd "from beyond the link" "$(ipv6 "$B" "$A" fd00::1 fd00::2 58 "88000000$(target fd00::1)" 64)"
nd "with an option that has no length" "$(icmp "$B" "$A" fd00::1 fd00::2 136 0 "$(target fd00::1)0200$A")"
nd "in a fragment" "$(ipv6 "$B" "$A" fd00::1 fd00::2 44 "3a00000100000001$(printf '88000000%s' "$(target fd00::1)")")"
v6 "solicitation from another's address" "$(icmp $NS "$A" fd00::3 ff02::1:ff00:2 135 0 "$(target fd00::2)")"
v6 "advertisement from nobody" "$(icmp 333300000001 "$A" :: ff02::1 136 0 "$(target fd00::1)")"
ra "router advertisement" "$(icmp 333300000001 "$A" fe80::1 ff02::1 134 0 40000708000000000000000000000000)"
ra "behind an extension header" "$(ipv6 333300000001 "$A" fe80::1 ff02::1 0 "3a0001040000000086000000400007080000000000000000")"
ra "behind two" "$(ipv6 333300000001 "$A" fe80::1 ff02::1 0 "3c000104000000003a0001040000000086000000400007080000000000000000")"
ra "in a fragment" "$(ipv6 333300000001 "$A" fe80::1 ff02::1 44 "3a0000010000000186000000400007080000000000000000")"
ra "redirect" "$(icmp "$B" "$A" fe80::1 fd00::2 137 0 "$(target fd00::3)$(target fd00::3 | cut -c 9-)")"
probe a b

note "49, 12: DHCP clients may ask, servers may not answer"
passes "discover" "$(udp $ALL "$A" 0.0.0.0 255.255.255.255 68 67 01010600)"
passes "renewal" "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 68 67 01010600)"
passes "DHCPv6 solicit" "$(udp 333300010002 "$A" fe80::1 ff02::1:2 546 547 01000001)"
dhcp "offer" "$(udp $ALL "$A" 10.0.0.1 255.255.255.255 67 68 02010600)"
dhcp "offer to one" "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 67 68 02010600)"
dhcp "offer from another port" "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 1067 68 02010600)"
dhcp "to a relay agent" "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 67 67 02010600)"
dhcp "DHCPv6 advertise" "$(udp "$B" "$A" fe80::1 fe80::2 547 546 02000001)"
dhcp "DHCPv6 behind an extension header" "$(ipv6 "$B" "$A" fe80::1 fe80::2 0 "110001040000000002230222000c000002000001")"
dhcp "relayed reply" "$(udp "$B" "$A" fe80::1 fe80::2 547 547 0d000001)"
probe a b
passes "a trusted port's offer" "$(udp "$B" "$T" 10.0.0.3 10.0.0.2 67 68 02010600)"
passes "its router advertisement" "$(icmp 333300000001 "$T" fe80::3 ff02::1 134 0 40000708000000000000000000000000)"
passes "any address of its" "$(udp "$B" "$T" 192.0.2.1 10.0.0.2 1 2)"
probe t b

note "a port without addresses: MAC, sender's MAC in ARP, DHCP servers and routers"
passes "any address" "$(udp "$B" "$N" 192.0.2.4 10.0.0.2 1 2)"
passes "any IPv6 address" "$(udp "$B" "$N" 2001:db8::4 fd00::2 1 2)"
passes "ARP for any address" "$(arp $ALL "$N" 1 "$N" 192.0.2.4 000000000000 10.0.0.2)"
mac "another MAC" "$(udp "$B" "$OTHER" 192.0.2.4 10.0.0.2 1 2)"
bad_arp "another MAC in ARP" "$(arp $ALL "$N" 1 "$OTHER" 192.0.2.4 000000000000 10.0.0.2)"
nd "another MAC in an advertisement" "$(icmp "$B" "$N" fd00::4 fd00::2 136 0 "$(target fd00::4)0201$OTHER")"
dhcp "DHCP server" "$(udp $ALL "$N" 192.0.2.4 255.255.255.255 67 68 02010600)"
ra "router advertisement" "$(icmp 333300000001 "$N" fe80::4 ff02::1 134 0 40000708000000000000000000000000)"
probe n b

note "50, 15: ethertypes by the network's list"
passes "one that is listed" "$(frame "$B" "$A" $TYPE)"
drops ethertype "LLDP" "$(frame "$B" "$A" 88cc)"
drops ethertype "PPPoE" "$(frame $ALL "$A" 8863)"
drops ethertype "EAPOL" "$(frame "$B" "$A" 888e)"
drops ethertype "a length: 802.3" "$(frame "$B" "$A" 0026 4242030000)"
drops ethertype "behind a tag" "$(tagged "$(frame "$B" "$A" 88cc)")"
probe a b
drops ethertype "of a trusted port, too" "$(frame "$B" "$T" 88cc)"
probe t b
before=$(received v)
send v "$(frame "$(mac_of 6)" "$(mac_of 5)" 88cc)"
send v "$(frame "$(mac_of 6)" "$(mac_of 5)" 0026 4242030000)"
settled v $((before + 2))
[ "$(ctl stats w -j | jq '.ports[0].sent')" = 2 ] || fail "a network with any ethertype: $(ctl stats)"

note "16: what goes to a configured MAC goes there only, however free its sender is"
watch a n
send t "$(frame "$B" "$T" $TYPE)"
send n "$(udp "$B" "$N" 192.0.2.4 10.0.0.2 1 3)"
send a "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 1 3)"
watched b a n
for port in a n; do
	[ "$(seen $port "^$B")" = 0 ] || fail "$port saw what was for b: $(cat "$RUN/watch.$port")"
done

note "nothing was learned of what was false, nor taken away from whom it is"
ctl fdb show --network office -j >"$RUN/fdb"
jq -e '[.[] | select(.mac == "02:00:00:00:00:09")] | length == 0' "$RUN/fdb" >/dev/null || fail "$(cat "$RUN/fdb")"
for i in a:1 b:2 t:3 n:4; do
	jq -e --arg port ${i%:*} --arg mac 02:00:00:00:00:0${i#*:} \
		'[.[] | select(.mac == $mac) | .port] == [$port]' "$RUN/fdb" >/dev/null || fail "${i%:*}: $(cat "$RUN/fdb")"
done

assert_ledger
switch_stop

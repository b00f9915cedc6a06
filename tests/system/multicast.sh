#!/bin/bash
# Multicast and broadcast: the sender's rules once, each receiver's for its copy, 224.0.0.x and ff02::
# included; what a receiver does not want is counted there as policy_copy, and others get theirs. No
# connection comes of it.
# Catalogue: 40; of complaints: 14.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1)
ns_quiet a open closed some t
switch_start <<END
firewall: {pick-up: 0}
networks: [{name: office, tenant: acme, $TYPES}]
groups:
  - name: some
    tenant: acme
    rules:
      - {direction: in, protocol: udp, ports: 5353, action: allow}
      - {direction: in, protocol: vrrp, action: allow}
      - {direction: in, protocol: igmp, action: allow}
  - name: sender
    tenant: acme
    rules:
      - {direction: out, protocol: udp, ports: 1900, action: deny}
      - {name: told, direction: in, protocol: icmp, action: deny, log: true}
ports:
$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], groups: [sender]")
$(port_yaml open office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], default-in: allow")
$(port_yaml closed office "mac: 02:00:00:00:00:03, ips: [10.0.0.3, 'fd00::3'], default-in: deny")
$(port_yaml some office "mac: 02:00:00:00:00:04, ips: [10.0.0.4, 'fd00::4'], groups: [some]")
$(port_yaml t office "mac: 02:00:00:00:00:05, trusted: true, default-in: deny")
END
copies() { drops_of "$1" policy_copy; }
M4() { echo "01005e00$1"; } # 224.0.x.y by the last two bytes

NAMES=() FRAMES_SENT=() WANTED=()
# to WHOM NAME FRAME: the ports that must get it
to() {
	WANTED+=(" $1 ") NAMES+=("$2") FRAMES_SENT+=("$3")
}
note "what each port gets of what a sends to many"
to "open t" "a UDP multicast" "$(udp "$(M4 0101)" "$A" 10.0.0.1 224.0.1.1 1 1234)"
to "open some t" "mDNS" "$(udp "$(M4 00fb)" "$A" 10.0.0.1 224.0.0.251 5353 5353)"
to "open some t" "mDNS over IPv6" "$(udp 3333000000fb "$A" fe80::1 ff02::fb 5353 5353)"
to "open t" "224.0.0.1" "$(udp "$(M4 0001)" "$A" 10.0.0.1 224.0.0.1 1 2)"
to "open t" "ff02::1" "$(udp 333300000001 "$A" fd00::1 ff02::1 1 2)"
to "open t" "a ping of ff02::1" "$(icmp 333300000001 "$A" fd00::1 ff02::1 128 0)"
to "open t" "OSPF" "$(ipv4 "$(M4 0005)" "$A" 10.0.0.1 224.0.0.5 89 0201002c00000000)"
to "open some t" "VRRP" "$(ipv4 "$(M4 0012)" "$A" 10.0.0.1 224.0.0.18 112 2101640000010000)"
to "open some t" "IGMP report" "$(ipv4 "$(M4 0016)" "$A" 10.0.0.1 224.0.0.22 2 2200f9fd00000001)"
to "open t" "a broadcast" "$(udp ffffffffffff "$A" 10.0.0.1 10.0.0.255 1 137)"
to "open some t" "a broadcast that a rule allows" "$(udp ffffffffffff "$A" 10.0.0.1 255.255.255.255 1 5353)"
to "open t" "unicast IP to a group's MAC" "$(udp "$(M4 0001)" "$A" 10.0.0.1 10.0.0.3 1 3)"
to "" "what the sender may not send" "$(udp "$(M4 7ffa)" "$A" 10.0.0.1 239.255.255.250 1 1900)"
# Neither ARP nor what neighbours need is a matter of rules.
to "open closed some t" "ARP" "$(arp ffffffffffff "$A" 1 "$A" 10.0.0.1 000000000000 10.0.0.3)"
to "open closed some t" "neighbour solicitation" \
	"$(to_hex fd00::3 && icmp 3333ff000003 "$A" fd00::1 ff02::1:ff00:3 135 0 "00000000${HEX}0101$A")"
to "open closed some t" "MLD report" "$(icmp 333300000016 "$A" fe80::1 ff02::16 143 0 00000000)"
# Fragments pass together, once the whole was decided on. Shorter ones are refused.
printf -v data '%01024d' 0
to "open t" "the first fragment of a multicast" "$(ipv4 "$(M4 0101)" "$A" 10.0.0.1 224.0.1.1 17 "0001000202100000$data" 2000)"
to "open t" "and its last one" "$(ipv4 "$(M4 0101)" "$A" 10.0.0.1 224.0.1.1 17 bbbbbbbbbbbbbbbb 0041)"

PORTS=(open closed some t)
declare -A BEFORE
for port in "${PORTS[@]}"; do BEFORE[$port]=$(copies "$port"); done
before=$(received a)
connections=$(ctl status -j | jq .firewall.opened)
watch "${PORTS[@]}"
printf '%s\n' "${FRAMES_SENT[@]}" | in_ns a "$FRAMES" lines net0
settled a $((before + ${#FRAMES_SENT[@]}))
watched a "${PORTS[@]}"
for port in "${PORTS[@]}"; do
	refused=0
	for i in "${!NAMES[@]}"; do
		want=0
		[[ ${WANTED[i]} != *" $port "* ]] || want=1
		got=$(seen "$port" "^${FRAMES_SENT[i]}\$")
		[ "$got" = $want ] || fail "$port got ${NAMES[i]} $got times instead of $want"
		[ $want = 1 ] || [ "${WANTED[i]}" = "  " ] || refused=$((refused + 1))
	done
	got=$(($(copies $port) - BEFORE[$port]))
	[ "$got" = $refused ] || fail "$port counted $got copies that it refused, not $refused: $(ctl drops $port)"
	echo "   $port refused $refused copies of ${#NAMES[@]}"
done
[ "$(drops_of a policy_out)" = 1 ] || fail "a: $(ctl drops a)"
[ "$(ctl status -j | jq .firewall.opened)" = "$connections" ] || fail "connections came of it: $(ctl conn list)"

note "rules that change hold for the next packet"
mdns=$(udp "$(M4 00fb)" "$A" 10.0.0.1 224.0.0.251 5353 5353)
ctl rule del some 0 >/dev/null || fail "rule del"
watch open some
send a "$mdns"
watched a open some
assert_seen open 1 "^$mdns"
assert_seen some 0 "^$mdns"
ctl rule add some direction=in protocol=udp ports=5353 remote=10.0.0.1 action=allow >/dev/null || fail "rule add"
watch open some
send a "$mdns"
watched a open some
assert_seen open 1 "^$mdns"
assert_seen some 1 "^$mdns"

note "an event tells of a copy that was refused, also of one that a trusted port sent"
send a "$mdns"
send t "$(icmp ffffffffffff "$(mac_of 5)" 10.0.0.9 10.0.0.3 13 7)"
wait_for 5 jq -se 'map(select(.metadata.rule_name == "told")) | length == 1 and (.[0] | .src_ip == "10.0.0.9" and
	.dest_ip == "10.0.0.3" and .icmp_type == 13 and .icmp_code == 7 and .metadata.from_port == "t")' "$RUN/eve.json"

note "an answer by unicast to a multicast needs a rule of its own"
watch a
answer=$(udp "$A" "$(mac_of 2)" 10.0.0.2 10.0.0.1 1234 1)
before=$(received open)
send open "$answer"
settled open $((before + 1))
watched open a
assert_seen a 0 "^$answer"
assert_drops open policy_in 1

assert_ledger
switch_stop

#!/bin/bash
# What rules let through: groups and rules in their order, defaults by direction, ports, ICMP types,
# SCTP and numbered protocols, prefixes of every length, in both families; what a rejected client
# sees; what events say; and that a file with one bad rule changes nothing.
# Catalogue: 48, 51, 52, 57; integration.md 7: 10 (no hole in IPv6), 22 (events).
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2) C=$(mac_of 3)
# Their kernels speak no IPv6, which must not matter to the rules.
ns_quiet a b c
# in_rule PROTOCOL PORTS ACTION [MORE]
in_rule() { echo "      - {direction: in, protocol: $1, ports: $2, action: $3${4:+, $4}}"; }
configuration() {
	cat <<-END
		networks: [{name: office, tenant: acme, $TYPES}]
		firewall: {pick-up: 0}
		groups:
		  - name: first
		    tenant: acme
		    rules:
		$(in_rule tcp 81 deny)
		$(in_rule tcp 82 reject)
		$(in_rule udp 82 reject)
		$(in_rule tcp '[1000-1002, 2000, 65535]' allow)
		$(in_rule udp '[53, 5000-5010]' allow 'log: true, name: names')
		$(in_rule udp 54 deny 'log: true, name: no-names')
		$(in_rule sctp 7000-7010 allow)
		$(in_rule udplite 7020 allow)
		      - {direction: in, protocol: icmp, type: 8, code: 0, action: allow}
		      - {direction: in, protocol: icmpv6, type: 128, action: allow}
		      - {direction: in, protocol: gre, action: allow}
		      - {direction: in, protocol: 99, family: ipv4, action: allow}
		      - {direction: in, protocol: 253, family: ipv6, action: allow}
		      - {direction: in, protocol: tcp, ports: 3000, remote: 10.0.0.1, action: allow}
		      - {direction: in, protocol: tcp, ports: 3000, remote: "fd00::/127", action: allow}
		  - name: second
		    tenant: acme
		    rules:
		$(in_rule tcp 80-90 allow)
		  - name: sender
		    tenant: acme
		    rules:
		      - {direction: out, protocol: tcp, ports: 1001, action: deny}
		      - {direction: out, protocol: tcp, ports: 1001, remote: 10.0.0.2, action: allow}
		  - name: meek
		    tenant: acme
		    rules:
		      - {direction: out, protocol: udp, ports: 53, action: allow}
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], groups: [sender]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], groups: [first, second]")
		$(port_yaml c office "mac: 02:00:00:00:00:03, ips: [10.0.0.3, 'fd00::3'], groups: [meek], default-out: deny, default-in: reject")
	END
}
switch_start < <(configuration)
for i in a:1 b:2 c:3; do ns_addresses ${i%:*} 10.0.0.${i#*:}/24; done

# both FUNCTION VERDICT... NAME ARGUMENTS: the same over IPv4 and IPv6, from a to b.
both() {
	local make=$1 verdict=$2 name=$3
	shift 3
	$verdict "$name over IPv4" "$($make "$B" "$A" 10.0.0.1 10.0.0.2 "$@")"
	$verdict "$name over IPv6" "$($make "$B" "$A" fd00::1 fd00::2 "$@")"
}
not_in() { drops policy_in "$@"; }
not_out() { drops policy_out "$@"; }

note "the first rule that matches decides, group after group, then the default"
for port in 80 83 90 1000 1002 2000 65535; do both tcp passes "TCP to $port" 40000 $port; done
for port in 79 81 91 999 1003 1999 2001 65534; do both tcp not_in "TCP to $port" 40000 $port; done
both tcp not_out "TCP to what a may not reach" 40000 1001
for port in 53 5000 5010; do both udp passes "UDP to $port" 40000 $port; done
for port in 52 80 1000 4999 5011; do both udp not_in "UDP to $port" 40000 $port; done
both tcp passes "TCP from a remote that a rule names" 40000 3000
probe a b
# c's addresses are none that the rules for port 3000 name.
passes "what c may open" "$(udp "$B" "$C" 10.0.0.3 10.0.0.2 40000 53)"
passes "what c may open, IPv6" "$(udp "$B" "$C" fd00::3 fd00::2 40000 53)"
drops policy_out "what it may not" "$(udp "$B" "$C" 10.0.0.3 10.0.0.2 40000 5000)"
drops policy_out "what it may not, IPv6" "$(udp "$B" "$C" fd00::3 fd00::2 40000 5000)"
drops policy_out "nor TCP" "$(tcp "$B" "$C" 10.0.0.3 10.0.0.2 40000 3000)"
probe c b
ctl port set c default-out=allow >/dev/null
drops policy_in "no remote of the rule" "$(tcp "$B" "$C" 10.0.0.3 10.0.0.2 40000 3000)"
drops policy_in "no remote of the rule, IPv6" "$(tcp "$B" "$C" fd00::3 fd00::2 40000 3000)"
probe c b
ctl port set c default-out=deny >/dev/null

note "51: ports of SCTP and UDP-Lite, protocols by number, ICMP by type and code"
# An INIT with its verification tag of 0; and a chunk of UDP-Lite.
sctp() { ip_frame "$1" "$2" "$3" "$4" 132 "$(printf '%04x%04x' "$5" "$6")00000000000000000100001400000001000010000001000100000001"; }
udplite() { ip_frame "$1" "$2" "$3" "$4" 136 "$(printf '%04x%04x' "$5" "$6")00080000"; }
numbered() { ip_frame "$1" "$2" "$3" "$4" "$5" 0000080000000000; }
for port in 7000 7005 7010; do both sctp passes "SCTP to $port" 40000 $port; done
for port in 6999 7011 80; do both sctp not_in "SCTP to $port" 40000 $port; done
both udplite passes "UDP-Lite to 7020" 40000 7020
both udplite not_in "UDP-Lite to 7021" 40000 7021
both numbered passes "GRE" 47
passes "protocol 99" "$(numbered "$B" "$A" 10.0.0.1 10.0.0.2 99)"
not_in "protocol 99 over IPv6" "$(numbered "$B" "$A" fd00::1 fd00::2 99)"
passes "protocol 253 over IPv6" "$(numbered "$B" "$A" fd00::1 fd00::2 253)"
not_in "protocol 253" "$(numbered "$B" "$A" 10.0.0.1 10.0.0.2 253)"
both numbered not_in "protocol 98" 98
passes "echo request" "$(icmp "$B" "$A" 10.0.0.1 10.0.0.2 8 0)"
not_in "echo request with a code" "$(icmp "$B" "$A" 10.0.0.1 10.0.0.2 8 1 00020001)"
not_in "timestamp request" "$(icmp "$B" "$A" 10.0.0.1 10.0.0.2 13 0)"
passes "echo request over IPv6" "$(icmp "$B" "$A" fd00::1 fd00::2 128 0)"
not_in "node information query" "$(icmp "$B" "$A" fd00::1 fd00::2 139 0)"
not_in "ICMP's number over IPv6" "$(numbered "$B" "$A" fd00::1 fd00::2 1)"
not_in "ICMPv6's number over IPv4" "$(numbered "$B" "$A" 10.0.0.1 10.0.0.2 58)"
probe a b

note "real programs: what is allowed connects, what is denied hears nothing, what is rejected hears so"
ping_ok a 10.0.0.2
# A connection or what the client was told.
connect() { in_ns "$1" timeout "${4:-1}" bash -c "exec 3<>/dev/tcp/$2/$3" 2>&1; }
spawn_ns b socat TCP-LISTEN:81,fork,reuseaddr OPEN:/dev/null
spawn_ns b socat TCP-LISTEN:82,fork,reuseaddr OPEN:/dev/null
spawn_ns b socat TCP-LISTEN:83,fork,reuseaddr OPEN:/dev/null
wait_for 5 connect a 10.0.0.2 83
connect a 10.0.0.2 82 5 >"$RUN/told" && fail "a connection that is rejected was made"
grep -q "Connection refused" "$RUN/told" || fail "rejected TCP was told: $(cat "$RUN/told")"
status=0
connect a 10.0.0.2 81 >"$RUN/told" || status=$?
[ $status = 124 ] || fail "denied TCP ended with $status: $(cat "$RUN/told")"
in_ns a ping -c 1 -W 3 10.0.0.3 >"$RUN/told" && fail "a ping that is rejected was answered"
grep -q "From 10.0.0.3 .*filtered" "$RUN/told" || fail "rejected ICMP was told: $(cat "$RUN/told")"
watch a
for ends in "10.0.0.1 10.0.0.2" "fd00::1 fd00::2"; do
	# shellcheck disable=SC2086
	send a "$(tcp "$B" "$A" $ends 40000 82)"
	# shellcheck disable=SC2086
	send a "$(udp "$B" "$A" $ends 40000 82)"
done
watched b a
# A RST that acknowledges the SYN; "administratively prohibited" that quotes the datagram.
V4="^$A${B}0800.\{18\}" V6="^$A${B}86dd.\{12\}"
END4="0a0000020a000001" END6=fd000000000000000000000000000002fd000000000000000000000000000001
assert_seen a 1 "${V4}06....${END4}00529c4000000000000010015014"
assert_seen a 1 "${V4}01....${END4}030d.*0a0000010a0000029c400052"
assert_seen a 1 "${V6}06..${END6}00529c4000000000000010015014"
assert_seen a 1 "${V6}3a..${END6}0101.*9c400052"

note "events: an accepted connection once, denials with the count of those not told of"
# told NAME: events of the rule of this name, and how many denials they stand for in all.
told() { jq -s "[.[] | select(.metadata.rule_name == \"$1\")] | length" "$RUN/eve.json"; }
stands_for() { jq -s "[.[] | select(.metadata.rule_name == \"$1\") | 1 + (.metadata.suppressed // 0)] | add // 0" "$RUN/eve.json"; }
has_told() { [ "$(told "$1")" -ge "$2" ]; }
before=$(told names)
frame=$(udp "$B" "$A" 10.0.0.1 10.0.0.2 40001 53)
send a "$frame" 20
wait_for 10 has_told names $((before + 1))
flood=60
for ((i = 0; i < flood; i++)); do udp "$B" "$A" 10.0.0.1 10.0.0.2 $((41000 + i)) 54; done >"$RUN/flood"
in_ns a "$FRAMES" lines net0 <"$RUN/flood"
wait_for 10 has_told no-names 1
# What is held back is told of with the next one that is not.
all_told() {
	local i
	flood=$((flood + 1))
	send a "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 $((41000 + flood)) 54)"
	for i in {1..20}; do
		[ "$(stands_for no-names)" = $flood ] && return
		sleep 0.05
	done
	return 1
}
wait_for 20 all_told
[ "$(told no-names)" -lt $flood ] || fail "all $flood denials were told of"
[ "$(told names)" = $((before + 1)) ] || fail "a connection was told of $(told names) times"
jq -se '[.[] | select(.metadata.rule_name == "no-names")][0] | .event_type == "drop" and
	.src_ip == "10.0.0.1" and .dest_ip == "10.0.0.2" and .dest_port == 54 and .proto == "UDP" and
	.drop.reason == "policy_in" and .verdict.action == "drop" and .metadata.tenant == "acme" and
	.metadata.from_port == "a" and .metadata.to_port == "b"' "$RUN/eve.json" >/dev/null ||
	fail "an event of a denial: $(grep no-names "$RUN/eve.json" | head -n 1)"
jq -se '[.[] | select(.metadata.rule_name == "names")][0] | .event_type == "firewall" and
	.verdict.action == "pass"' "$RUN/eve.json" >/dev/null ||
	fail "an event of a connection: $(grep '"names"' "$RUN/eve.json" | head -n 1)"

note "48: a file with one rule that can't be honoured changes nothing, and says where"
{ vswitch_section && configuration; } | sed 's/ports: 81,/ports: 80-70000,/; s/ports: 80-90,/ports: 22,/' >"$RUN/bad.yaml"
line=$(grep -n 80-70000 "$RUN/bad.yaml" | cut -d: -f1)
refused config apply "$RUN/bad.yaml"
grep -q "bad.yaml:$line:.*ports" "$RUN/refused" || fail "line $line is not named: $(cat "$RUN/refused")"
passes "TCP as before" "$(tcp "$B" "$A" 10.0.0.1 10.0.0.2 40009 80)"
not_in "nor what the refused file would have let through" "$(tcp "$B" "$A" 10.0.0.1 10.0.0.2 40009 22)"
not_in "and what is denied stays so" "$(tcp "$B" "$A" 10.0.0.1 10.0.0.2 40009 81)"
probe a b

note "10: rules for one family only, on a port with addresses of both, are warned of"
ctl group add half tenant=acme >/dev/null
ctl rule add half direction=in protocol=icmp family=ipv4 action=allow >/dev/null
ctl port set b groups=half >"$RUN/warned" 2>&1 || fail "$(cat "$RUN/warned")"
grep -i "warning.*ipv6" "$RUN/warned" >/dev/null || fail "no warning: $(cat "$RUN/warned")"
passes "what the rule allows" "$(icmp "$B" "$A" 10.0.0.1 10.0.0.2 8 0 00090001)"
not_in "and nothing of IPv6" "$(icmp "$B" "$A" fd00::1 fd00::2 128 0 00090001)"
probe a b

note "52: prefixes of every length, next to what is just outside"
flip() { # HEX BIT, counted from the left
	local at=$(($2 / 4))
	printf '%s%x%s' "${1:0:at}" $((0x${1:at:1} ^ 8 >> $2 % 4)) "${1:at+1}"
}
first() { # HEX LENGTH: the first address of the prefix
	local at=$(($2 / 4)) hex=$1
	[ "$2" = $((${#1} * 4)) ] || hex=$(printf '%s%x%0*d' "${1:0:at}" $((0x${1:at:1} & 240 >> $2 % 4)) ${#1} 0)
	echo "${hex:0:${#1}}"
}
address() { # HEX
	if [ ${#1} = 8 ]; then
		printf '%d.%d.%d.%d\n' "0x${1:0:2}" "0x${1:2:2}" "0x${1:4:2}" "0x${1:6:2}"
	else
		sed 's/..../&:/g; s/:$//' <<<"$1"
	fi
}
BASES=(0a5a5aa5 20010db85a5aa5a55a5aa5a55a5aa5a5)
{
	vswitch_section
	cat <<-END
		networks: [{name: office, tenant: acme, $TYPES}]
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], pairs: [{ip: 0.0.0.0/0}, {ip: '::/0'}]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], groups: [prefixes]")
		groups:
		  - name: prefixes
		    tenant: acme
		    rules:
	END
	for base in "${BASES[@]}"; do
		for ((length = 0; length <= ${#base} * 4; length++)); do
			in_rule udp $((1000 + length)) allow "remote: '$(address "$(first "$base" $length)")/$length'"
		done
	done
} >"$RUN/prefixes.yaml"
ctl config apply "$RUN/prefixes.yaml" >/dev/null 2>&1 || fail "not applied"
for base in "${BASES[@]}"; do
	bits=$((${#base} * 4)) to=10.0.0.2
	[ $bits = 32 ] || to=fd00::2
	for ((length = 0; length <= bits; length++)); do
		inside=$base
		[ $length = $bits ] || inside=$(flip "$base" $length)
		passes "the edge of /$length of $bits" \
			"$(udp "$B" "$A" "$(address "$inside")" $to 40000 $((1000 + length)))"
		[ $length = 0 ] || not_in "beyond the edge of /$length of $bits" \
			"$(udp "$B" "$A" "$(address "$(flip "$base" $((length - 1)))")" $to 40000 $((1000 + length)))"
	done
done
probe a b

assert_ledger
switch_stop

#!/bin/bash
# Large tenants: a port or a guest of another host that joins a group of thousands of addresses which 50
# rules name, an address more in a set of 5,000, and one rule among 10,000 are in force on all workers when they are answered, and
# cost nobody a packet.
# Catalogue: 54; of complaints: 7.
WORKERS="0, $(($(nproc) - 1))"
[ "$(nproc)" -gt 1 ] || WORKERS=0
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

S=$(mac_of 1) R=$(mac_of 2)
ns_quiet a b s r
{
	cat <<-END
		firewall: {pick-up: 0}
		networks: [{name: office, tenant: acme}, {name: big, tenant: big, $TYPES}]
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2]")
		$(port_yaml s big "mac: 02:00:00:00:00:01, ips: [$(seq -s , -f 10.2.0.%g 50)]")
		$(port_yaml r big "mac: 02:00:00:00:00:02, ips: [10.2.1.1], groups: [users, long]")
	END
	for ((i = 1; i <= 39; i++)); do
		echo "  - {name: m$i, network: big, mac: 02:00:00:00:01:$(printf %02x $i), groups: [users, long, thousands]," \
			"vhost-user: {socket: $RUN/m$i.sock, mode: server}, ips: [$(seq -s , -f 10.1.$i.%g 50)]}"
	done
	echo "sets:"
	echo "  - {name: addresses, tenant: big, addresses: [$(for ((i = 0; i < 20; i++)); do seq -s , -f 10.3.$i.%g 250; done | paste -sd,)]}"
	echo "groups:"
	echo "  - {name: thousands, tenant: big, addresses: [$(for ((i = 0; i < 8; i++)); do seq -s , -f 10.4.$i.%g 250; done | paste -sd,)]}"
	printf '  - name: users\n    tenant: big\n    rules:\n'
	for ((i = 0; i < 50; i++)); do
		echo "      - {direction: in, protocol: udp, ports: $((100 + i)), remote: {group: thousands}, action: allow}"
		echo "      - {direction: in, protocol: udp, ports: $((200 + i)), remote: {set: addresses}, action: allow}"
	done
	printf '  - name: long\n    tenant: big\n    rules:\n'
	for ((i = 0; i < 10000; i++)); do
		echo "      - {direction: in, protocol: tcp, ports: $((i + 1)), remote: 10.$((i % 200)).$((i / 200)).0/24, action: allow}"
	done
} >"$RUN/networks"
switch_start <"$RUN/networks"
ns_addresses a 10.0.0.1/24
ns_addresses b 10.0.0.2/24
ping_ok a 10.0.0.2
wire_open

# timed WHAT COMMAND...: the best of all counts, for others use this machine, too.
declare -A BEST=()
timed() {
	local what=$1 begin took
	shift
	begin=$(now_us)
	"$@"
	took=$(($(now_us) - begin))
	[ "$took" -ge "${BEST[$what]:-1000000000}" ] || BEST[$what]=$took
}
# now VERDICT...: of packets to the ports that the group's rules, the set's and the new one open.
now() {
	passes_or_not "$1" "by the group" "$(udp "$R" "$S" 10.2.0.50 10.2.1.1 $port 149)"
	passes_or_not "$2" "by the set" "$(udp "$R" "$S" 10.2.0.2 10.2.1.1 $port 249)"
	passes_or_not "$3" "by the new rule" "$(udp "$R" "$S" 10.2.0.3 10.2.1.1 $port 300)"
	probe s r >/dev/null
	port=$((port + 1))
}
passes_or_not() {
	case $1 in
	yes) passes "$2" "$3" ;;
	no) drops policy_in "$2" "$3" ;;
	esac
}

port=10000
pings_start a 10.0.0.2
for ((i = 0; i < 4; i++)); do
	now no no no
	timed "50 addresses join a group of 1,950 and 2,000 on other hosts that 50 rules name" \
		edit "port set" '"name":"s","settings":{"groups":"thousands"}'
	now yes no no
	timed "they leave it again" edit "port set" '"name":"s","settings":{"groups":""}'
	timed "one more on another host in that group" \
		edit "group member add" '"group":"thousands","addresses":["10.2.0.50"]'
	now yes no no
	timed "that one out of it" edit "group member del" '"group":"thousands","addresses":["10.2.0.50"]'
	timed "one more address in a set of 5,000 that 50 rules name" \
		edit "set member add" '"set":"addresses","addresses":["10.2.0.2"]'
	now no yes no
	timed "that address out of the set" edit "set member del" '"set":"addresses","addresses":["10.2.0.2"]'
	timed "one more rule among 10,000" edit "rule add" \
		'"group":"long","at":5000,"settings":{"direction":"in","protocol":"udp","ports":"300","action":"allow","name":"new"}'
	now no no yes
	timed "that rule removed" edit "rule del" '"group":"long","rule":"new"'
done
now no no no
pings_stop
for what in "${!BEST[@]}"; do # in any order
	echo "   in force after $((BEST[$what] / 1000)).$((BEST[$what] % 1000 / 100)) ms: $what"
	[ "${BEST[$what]}" -lt 100000 ] || fail "$what: ${BEST[$what]} us at the best"
done

assert_ledger
switch_stop

#!/bin/bash
# A guest that routes between two others, over two ports of the switch and over one: what it sends
# on is held against its own ports' rules and the receiver's, whatever let the first leg through.
. "$(dirname "$0")/lib.bash"

ns_quiet a b r
in_ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
	net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0 \
	net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
configuration() { # RULE-OF-B...
	local rule
	cat <<-END
		firewall: {pick-up: 0}
		networks: [{name: office, tenant: acme}]
		groups:
		  - name: served
		    tenant: acme
		    rules:
		      - {name: ping, direction: in, protocol: icmp, action: allow}
	END
	for rule; do echo "      - {direction: in, $rule, action: allow}"; done
	cat <<-END
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.1.0.1], default-in: deny")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.2.0.1], groups: [served]")
		$(port_yaml r office "mac: 02:00:00:00:00:03, pairs: [{ip: 0.0.0.0/0}], default-in: allow")
		  - {name: r2, network: office, kernel: {interface: net1, netns: $(ns r)}, mac: 02:00:00:00:00:04, pairs: [{ip: 0.0.0.0/0}], default-in: allow}
	END
}
apply() {
	{ vswitch_section && configuration "$@"; } >"$RUN/vswitch.yaml"
	ctl config apply "$RUN/vswitch.yaml" >"$RUN/applied" 2>&1 || fail "refused: $(cat "$RUN/applied")"
}
switch_start < <(configuration "protocol: tcp, ports: 5001, remote: 10.1.0.1")
ip -n "$(ns a)" address add 10.1.0.1/24 dev net0
ip -n "$(ns b)" address add 10.2.0.1/24 dev net0
ip -n "$(ns r)" address add 10.1.0.254/24 dev net0
ip -n "$(ns r)" address add 10.2.0.254/24 dev net1
ip -n "$(ns a)" route add default via 10.1.0.254
ip -n "$(ns b)" route add default via 10.2.0.254
for port in 5001 5002; do spawn_ns b socat TCP-LISTEN:$port,reuseaddr,fork EXEC:cat; done
listens() { [ "$(in_ns b ss -Hlnt | grep -cE ':500[12] ')" = 2 ]; }
wait_for 10 listens

# says PORT: whether a hears from b's port what it says.
says() { [ "$(echo word | in_ns a timeout "${2:-10}" socat -t 5 - "TCP:10.2.0.1:$1,connect-timeout=${2:-10}" 2>/dev/null)" = word ]; }
established() { [ "$(ctl conn list --state established --service tcp/5001 -j | jq -c '[.connections[] | [.from, .to]] | unique')" = "$1" ]; }
# The routed leg is dropped where it comes in: at $LEG.
check() {
	note "$1: both legs are connections of their own"
	LEG=$2
	ping_ok a 10.2.0.1
	says 5001 || fail "the way by r is closed: $(ctl conn list)"
	rm -f "$RUN/say" "$RUN/heard"
	mkfifo "$RUN/say"
	spawn_ns a socat "OPEN:$RUN/say,rdonly!!OPEN:$RUN/heard,creat,wronly" TCP:10.2.0.1:5001
	exec 8>"$RUN/say"
	echo before >&8
	wait_for 10 grep -q before "$RUN/heard"
	wait_for 10 established "[[\"a\",\"r\"],[\"$LEG\",\"b\"]]"
	note "$1: r takes what b does not, and it ends there"
	before=$(drops_of "$LEG" policy_in)
	! says 5002 2 || fail "b's rules do not hold for what r sends on"
	[ "$(drops_of "$LEG" policy_in)" -gt "$before" ] || fail "not dropped on the second leg: $(ctl drops)"
	[ "$(drops_of a policy_in)" = 0 ] || fail "dropped on the first leg: $(ctl drops)"
	note "$1: errors of routers come back"
	in_ns a ping -c 1 -W 3 -t 1 10.2.0.1 >"$RUN/ping"
	grep -qi "time to live exceeded" "$RUN/ping" || fail "no error came from r: $(cat "$RUN/ping")"
	note "$1: a rule that goes ends the second leg alone"
	apply "protocol: tcp, ports: 5002, remote: 10.9.0.0/16"
	echo lost >&8
	revoked() { [ "$(drops_of "$LEG" policy_revoked)" -gt "${1:-0}" ]; }
	wait_for 10 revoked
	[ "$(drops_of a policy_revoked)" = 0 ] || fail "the first leg was revoked: $(ctl drops)"
	! grep -q lost "$RUN/heard" || fail "the second leg goes on"
	apply "protocol: tcp, ports: 5001, remote: 10.1.0.1"
	wait_for 30 grep -q lost "$RUN/heard"
	exec 8>&-
	ctl conn kill --all >/dev/null
}
check "two ports" r2
note "one port: both networks of r's are behind it"
ip -n "$(ns r)" address del 10.2.0.254/24 dev net1
ip -n "$(ns r)" address add 10.2.0.254/24 dev net0
ip -n "$(ns b)" neigh flush dev net0
before_one=$(drops_of r policy_revoked)
[ "$before_one" = 0 ] || fail "r's first port lost something: $(ctl drops)"
check "one port" r
assert_ledger
switch_stop

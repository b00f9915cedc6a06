#!/bin/bash
# Audit mode of a tenant: its rules drop nothing, and the events say what they would have; guards and
# emergency blocks hold all the same, and other tenants are as strict as ever.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2)
ns_quiet a b x y
{
	vswitch_section
	cat <<-END
		firewall: {pick-up: 0}
		networks:
		  - {name: office, tenant: acme, $TYPES}
		  - {name: lab, tenant: other, $TYPES}
		tenants: [{name: acme, audit: true}]
		groups:
		  - name: strict
		    tenant: acme
		    rules:
		      - {name: no-telnet, direction: in, protocol: tcp, ports: 23, action: reject}
		      - {name: ssh, direction: in, protocol: tcp, ports: 22, action: allow}
		      - {name: no-mail, direction: out, protocol: tcp, ports: 25, action: deny}
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1], groups: [strict]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2], groups: [strict]")
		$(port_yaml x lab "mac: 02:00:00:00:00:01, ips: [10.0.0.1], default-in: deny")
		$(port_yaml y lab "mac: 02:00:00:00:00:02, ips: [10.0.0.2], default-in: deny")
	END
} >"$RUN/vswitch.yaml"
switch_spawn
syn() { tcp "$B" "$A" 10.0.0.1 10.0.0.2 "$1" "$2"; }
# audited PORT JQ: events of what would have been dropped, to the port
audited() { jq -se "[.[] | select(.event_type == \"firewall\" and .metadata.would_drop and .dest_port == $1)] | $2" "$RUN/eve.json"; }

note "what rules would drop passes, and is told of once a connection"
passes "what a rule rejects" "$(syn 1000 23)"
passes "what a rule denies on the way out" "$(syn 1000 25)"
passes "what the default denies" "$(syn 1000 80)"
passes "what is allowed" "$(syn 1000 22)"
passes "a multicast that the default denies" "$(udp 01005e000101 "$A" 10.0.0.1 224.0.1.1 1000 81)"
probe a b
for i in {1..5}; do send a "$(syn 1000 23)"; done
wait_for 5 audited 23 'length == 1 and (.[0] | .metadata.rule_name == "no-telnet" and .metadata.reason == "policy_in" and
	.metadata.tenant == "acme" and .verdict.action == "pass")'
wait_for 5 audited 25 'length == 1 and (.[0].metadata | .rule_name == "no-mail" and .reason == "policy_out")'
wait_for 5 audited 80 'length == 1 and (.[0].metadata | .by == "default" and .reason == "policy_in")'
wait_for 5 audited 81 'length >= 1'
audited 22 'length == 0' >/dev/null || fail "what is allowed was told of"
[ "$(drops_of a policy_in)" = 0 ] && [ "$(drops_of a policy_out)" = 0 ] && [ "$(drops_of b policy_copy)" = 0 ] ||
	fail "audit mode dropped something: $(ctl drops)"
[ "$(ctl conn list -j | jq '[.connections[] | select(.audited)] | length')" -ge 3 ] || fail "$(ctl conn list -j)"

note "no client is told that it was rejected"
watch a
send a "$(syn 1001 23)"
watched b a
[ "$(seen a "^$A${B}0800")" = 0 ] || fail "a RST came: $(cat "$RUN/watch.a")"

note "another tenant, false addresses and emergency blocks"
drops policy_in "the other tenant's default" "$(syn 1000 80)"
probe x y
ctl block tcp/23 >/dev/null
drops blocked "a block" "$(syn 1002 23)"
drops spoof_ipv4 "a false address" "$(tcp "$B" "$A" 10.0.0.9 10.0.0.2 1002 22)"
passes "TCP that ran before" "$(syn 1003 22 | sed "s/5002ffff/5010ffff/")"
probe a b
ctl unblock all >/dev/null

note "ending it ends what only it let through, and starting it again lets that through again"
sed 's/audit: true/audit: false/' "$RUN/vswitch.yaml" >"$RUN/off.yaml"
ctl config apply "$RUN/off.yaml" >/dev/null || fail "config apply"
drops policy_in "a new SYN of a connection that was audited" "$(syn 1000 80)"
drops policy_in "a new connection" "$(syn 2000 80)"
drops policy_out "a new connection, on the way out" "$(syn 2000 25)"
passes "what is allowed" "$(syn 1000 22)"
probe a b
ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "config apply"
passes "in audit mode again" "$(syn 1000 80)"
passes "and what was denied meanwhile" "$(syn 2000 80)"
probe a b

assert_ledger
switch_stop

#!/bin/bash
# Rules over restarts: nothing passes before the rules are there, those given by command come back with
# those of the file, what was forbidden stays so from the first packet on, and a connection that is
# allowed goes on.
# Catalogue: 47; of complaints: 9.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2)
ns_quiet a b
configuration() {
	vswitch_section
	cat <<-END
		networks: [{name: office, tenant: acme, $TYPES}]
		groups:
		  - name: servers
		    tenant: acme
		    rules:
		      - {name: tcp1, direction: in, protocol: tcp, ports: 5001, action: ${1:-allow}}
		      - {name: tcp2, direction: in, protocol: tcp, ports: 5002, action: allow}
		      - {name: udp1, direction: in, protocol: udp, ports: 1, action: allow}
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1], groups: [servers]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2], groups: [servers]")
	END
}
is_up() { [ "$(port_field "$1" .state)" = up ]; }
addresses() {
	for i in a:1 b:2; do
		wait_for 10 is_up ${i%:*}
		ns_addresses ${i%:*} 10.0.0.${i#*:}/24
	done
}

note "with a faulty file at the first start there are no ports, until a good one is applied"
configuration alow >"$RUN/vswitch.yaml"
switch_spawn
[ "$(ctl status -j | jq .revision)" = 0 ] && [ "$(ctl port list -j | jq length)" = 0 ] ||
	fail "ports without rules: $(ctl port list)"
ctl status | grep -q "vswitch.yaml:.*alow" || fail "status does not say why: $(ctl status)"
configuration >"$RUN/vswitch.yaml"
ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "config apply"
addresses

note "over kill -9 and an orderly end, under a stream of what is forbidden"
cat >"$RUN/both" <<'END'
#!/bin/bash
while echo line 2>/dev/null; do sleep 0.02; done &
cat >"$1"
END
chmod +x "$RUN/both"
lines() { wc -l <"$RUN/$1"; }
grown() { [ "$(lines "$1")" -ge "$2" ]; }
goes_on() {
	local file
	for file in "$@"; do wait_for 30 grown "$file" $(($(lines "$file") + 10)); done
}
for n in 1 2; do
	spawn_ns b socat "TCP-LISTEN:500$n,reuseaddr" EXEC:"$RUN/both $RUN/b$n"
	wait_for 5 eval "in_ns b ss -ltn | grep -q ':500$n '"
	spawn_ns a socat "TCP:10.0.0.2:500$n" EXEC:"$RUN/both $RUN/a$n"
done
wait_for 10 test -e "$RUN/b1" -a -e "$RUN/b2" -a -e "$RUN/a1" -a -e "$RUN/a2"
goes_on a1 b1 a2 b2
ctl rule del servers tcp2 >/dev/null || fail "rule del"
ctl rule add servers direction=in protocol=icmp action=allow name=ping >/dev/null || fail "rule add"
ping_ok a 10.0.0.2

# As soon as there is an interface, and as long as there is: UDP that no rule allows, from a port to
# which it would be allowed the other way round.
forbidden=$(udp "$B" "$A" 10.0.0.1 10.0.0.2 1 6666)
cat >"$RUN/flood" <<'END'
#!/bin/bash
while :; do "$1" send net0 "$2" 200 2000 2>/dev/null || sleep 0.005; done
END
chmod +x "$RUN/flood"
spawn_ns a "$RUN/flood" "$FRAMES" "$forbidden"
FLOOD=$SPAWNED
# Bound to no interface, so that it also sees what comes in at a new one.
spawn_ns b tcpdump -i any -l -nn "udp port 6666 or icmp[icmptype] == icmp-echo" >"$RUN/seen" 2>"$RUN/tcpdump"
wait_for 10 grep -q "listening on" "$RUN/tcpdump"
pings_seen() { [ "$(grep -c "ICMP echo" "$RUN/seen")" -ge "$1" ]; }
refused_many() { [ "$(drops_of a policy_in)" -ge 500 ]; }
for end in switch_kill switch_stop; do
	$end
	got=$(lines b2)
	switch_spawn
	wait_for 20 refused_many
	# It refused all of it from the first on, and what else a sent is what is allowed.
	addresses
	ctl rule list servers -j | jq -e 'map(.name) == ["tcp1", "udp1", "ping"]' >/dev/null || fail "$end: $(ctl rule list servers)"
	ping_ok a 10.0.0.2
	goes_on a1 b1
	[ "$(lines b2)" = "$got" ] || fail "$end: the connection that was cut goes on"
	[ "$(ctl conn list -j | jq '[.connections[] | select(.to_port == 6666 or .to_port == 5002)] | length')" = 0 ] ||
		fail "$end: $(ctl conn list)"
	[ "$(ctl conn list -j | jq '[.connections[] | select(.to_port == 5001 and .picked_up)] | length')" = 1 ] ||
		fail "$end: the connection was not picked up: $(ctl conn list)"
done
wait_for 10 pings_seen 4
! grep "10.0.0.2.6666" "$RUN/seen" || fail "what is forbidden came to b"
kill "$FLOOD"
wait "$FLOOD" 2>/dev/null

assert_ledger
switch_stop

#!/bin/bash
# Two hosts joined by a cable. A guest of host A sends a harmless marker over SMB to a guest of host B:
# host B cuts its address off in its network, by the packet that gave it away. Others behind the same
# uplink go on, and so does another tenant's guest with the same address. The list says remote; a
# restart keeps it, release frees it. What could have been sent in another's name cuts nobody off.
# Groups hold members on other hosts, as they come and go.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

command -v clang >/dev/null || skip "needs clang"
CABLE=vt$$
test_cleanup() {
	ip link del "${CABLE}a" 2>/dev/null
}
ip link add "${CABLE}a" type veth peer name "${CABLE}b" || skip "cannot make veth pairs"
for end in a b; do
	ip link set "$CABLE$end" addrgenmode none
	ip link set "$CABLE$end" up
done

MARKER=harmless-marker
mkdir "$RUN/rules"
echo "drop smb any any -> any 445 (msg:\"$MARKER\"; content:\"$MARKER\"; metadata:vswitch_action quarantine; target:dest_ip; sid:2;)" \
	>"$RUN/rules/test.rules"
printf '#!/bin/sh\nexec cat >>%s\n' "$RUN/hooked" >"$RUN/hook"
chmod +x "$RUN/hook"

on() { SOCK=$RUN/$1.sock; }
section() { # HOST CORE
	vswitch_section "$2" | sed "s|$RUN/ctl|$RUN/$1|; s|$RUN/state|$RUN/$1.state|; s|$RUN/eve|$RUN/$1|"
}
uplink() { echo "uplinks: [{name: up, interface: $CABLE$1}]"; }
BUFFERS=8192 CONNECTIONS=16384
GUEST='default-in: allow'
{ # guests of one tenant at .1 and .3, and another tenant's at .1
	section a 0
	cat <<-END
		networks: [{name: red, tenant: acme, vlan: 100}, {name: blue, tenant: other, vlan: 200}]
		ports:
		$(port_yaml bad red "mac: \"02:00:00:00:00:01\", ips: [10.0.0.1], $GUEST")
		$(port_yaml good red "mac: \"02:00:00:00:00:03\", ips: [10.0.0.3], $GUEST")
		$(port_yaml else blue "mac: \"02:00:00:00:00:01\", ips: [10.0.0.1], $GUEST")
	END
	uplink a
} >"$RUN/a.yaml"
{ # the server at .2 of both
	section b $(($(nproc) - 1))
	cat <<-END
		  rules: $RUN/rules
		  hook: $RUN/hook
		  inspected: 256
		  inspection-memory: 16
		networks: [{name: red, tenant: acme, vlan: 100}, {name: blue, tenant: other, vlan: 200}]
		groups:
		  - {name: clients, tenant: acme, addresses: [10.0.0.1, 10.0.0.3]}
		  - name: servers
		    tenant: acme
		    rules:
		      - {direction: in, protocol: tcp, remote: {group: clients}, action: allow}
		      - {direction: in, protocol: icmp, action: allow}
		ports:
		$(port_yaml server red "mac: \"02:00:00:00:00:02\", ips: [10.0.0.2], groups: [servers]")
		$(port_yaml elsewhere blue "mac: \"02:00:00:00:00:02\", ips: [10.0.0.2], $GUEST")
		inspection:
		  - tenant: acme
		    mode: prevent
		    rules: [test.rules]
		    quarantine: {level: service, for: 1h}
		  - tenant: other
		    mode: prevent
		    rules: [test.rules]
	END
	uplink b
} >"$RUN/b.yaml"
host() {
	on "$1"
	"$VSWITCH_BUILD/vswitchd" -c "$RUN/$1.yaml" >>"$RUN/vswitchd.log" 2>&1 &
	PIDS+=("$!") LAST=$!
	wait_for 20 ctl status
	[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
}
is_up() { [ "$(port_field up.100 .state)" = up ] && [ "$(port_field up.200 .state)" = up ]; }
are_ready() { [ "$(ctl rules status -j | jq -c '[.tenants[].state] | unique')" = '["ready"]' ]; }
address() { ip -n "$(ns "$1")" address replace "$2/24" dev net0 && ip -n "$(ns "$1")" link set net0 up; }
start_b() {
	host b
	HOST_B=$LAST
	wait_for 20 are_ready
	wait_for 10 is_up
	address server 10.0.0.2
	address elsewhere 10.0.0.2
}
ns_quiet bad good else server elsewhere
host a
HOST_A=$LAST
wait_for 10 is_up
address bad 10.0.0.1
address good 10.0.0.3
address else 10.0.0.1
start_b

# record TEXT: an SMB1 ECHO request in a NetBIOS record (MS-CIFS 2.2.4.39).
record() {
	local n=${#1} be le
	printf -v be '\\x%02x\\x%02x' $(((37 + n) >> 8)) $(((37 + n) & 255))
	printf -v le '\\x%02x\\x%02x' $((n & 255)) $((n >> 8))
	printf '%b' "\\x00\\x00$be\\xffSMB\\x2b\\0\\0\\0\\0\\x18\\0\\x40" '\0\0\0\0\0\0\0\0\0\0\0\0' \
		'\x07\0\x34\x12\0\0\x01\0' "\\x01\\x01\\0$le" "$1"
}
listen() {
	spawn_ns "$1" socat -u "TCP-LISTEN:$2,fork,reuseaddr" "OPEN:$RUN/$1.$2,creat,append" 2>/dev/null
	wait_for 5 eval "in_ns $1 ss -ltn | grep -q ':$2 '"
}
listen server 445
listen server 2222
listen elsewhere 445
# passes NAME TEXT SERVER: a message with it arrives there.
passes() {
	record "$2" | in_ns "$1" socat -u - TCP:10.0.0.2:445,connect-timeout=5 || fail "$1 cannot send"
	wait_for 5 grep -aqF "$2" "$RUN/$3.445"
}
is_shut() { ! in_ns "$1" timeout 1 bash -c ': </dev/tcp/10.0.0.2/445' 2>/dev/null || fail "$1 reaches SMB"; }
listed() { ctl quarantine list -j | jq -c '[.[] | [.where, .network, .address, .level]]'; }
is_listed() { [ "$(listed)" = "$1" ]; }

note "a message passes, and none with the marker; the address is cut off by the packet that had it"
passes bad "hello from bad" server
passes else "hello from else" elsewhere
{ record "before" && record "$MARKER"; } >"$RUN/message"
! in_ns bad timeout 10 bash -c 'exec 3<>/dev/tcp/10.0.0.2/445 && cat "$1" >&3 && cat <&3' says "$RUN/message" \
	>"$RUN/said" 2>&1 || fail "the marker was sent"
grep -q "reset by peer" "$RUN/said" || fail "the sender got no reset: $(cat "$RUN/said")"
! grep -aq "$MARKER" "$RUN/server.445" || fail "the marker has arrived"
REMOTE='[["remote","red","10.0.0.1","service"]]'
wait_for 5 is_listed "$REMOTE"
on a
is_listed '[]' || fail "host A: $(listed)"
on b

note "it reaches no SMB, and all else; others behind the uplink, and its like of another tenant, go on"
is_shut bad
ping_ok bad 10.0.0.2
echo "like ssh" | in_ns bad socat -u - TCP:10.0.0.2:2222 || fail "bad reaches nothing else"
wait_for 5 grep -q "like ssh" "$RUN/server.2222"
passes good "hello from good" server
passes else "hello again from else" elsewhere
[ "$(ctl quarantine list -j | jq '.[0].dropped')" -gt 0 ] || fail "no drops: $(ctl quarantine list -j) $(ctl drops)"

note "it is told of: list, explain, event, evidence, hook, metrics"
ctl quarantine list | grep -q "^up.100 *remote *10.0.0.1 .*1:2:" || fail "$(ctl quarantine list)"
ctl quarantine show --network red --address 10.0.0.1 >"$RUN/shown" || fail "quarantine show"
grep -q "up.100" "$RUN/shown" || fail "$(cat "$RUN/shown")"
ctl explain tcp/445 --from up.100 --from-address 10.0.0.1 --to server >"$RUN/said" && fail "explain: $(cat "$RUN/said")"
grep -q "10.0.0.1" "$RUN/said" && grep -q "quarantined" "$RUN/said" || fail "explain: $(cat "$RUN/said")"
ctl explain tcp/445 --from up.100 --from-address 10.0.0.3 --to server >"$RUN/said" || fail "explain: $(cat "$RUN/said")"
event() { jq -se "any(.[]; $1)" "$RUN/quarantine.json"; }
wait_for 5 event '.metadata | .action == "added" and .where == "remote" and .address == "10.0.0.1" and .network == "red"'
jq -se 'any(.[]; .event_type == "alert" and .metadata.culprit_ip == "10.0.0.1" and .metadata.level == "service")' \
	"$RUN/b.json" >/dev/null || fail "no alert that names it"
find "$RUN/b.state/evidence" -name '*10.0.0.1*.pcapng' | grep -q . || fail "no evidence: $(ls -R "$RUN/b.state")"
wait_for 5 jq -e '.address == "10.0.0.1" and .where == "remote"' "$RUN/hooked"
ctl metrics | grep -q 'vswitch_quarantined_addresses{level="service"} 1' || fail "$(ctl metrics | grep quarant)"

note "a restart keeps it, release frees it"
kill "$HOST_B"
wait "$HOST_B" || fail "vswitchd ended with $? on SIGTERM"
start_b
is_listed "$REMOTE" || fail "after the restart: $(listed)"
wait_for 10 in_ns bad ping -q -c 1 -W 1 10.0.0.2
is_shut bad
passes good "hello after the restart" server
ctl quarantine release --network red --address 10.0.0.1 >"$RUN/said" || fail "release"
passes bad "hello after release" server

note "by command: the whole host, for a time"
ctl quarantine add --network red --address 10.0.0.1 --level host --for 2s >"$RUN/said" || fail "add"
is_listed '[["remote","red","10.0.0.1","host"]]' || fail "$(listed)"
ping_fails bad 10.0.0.2
ping_ok good 10.0.0.2
ping_ok else 10.0.0.2
wait_for 10 is_listed '[]'
ping_ok bad 10.0.0.2
refused quarantine add --network red --address 10.0.0.2
grep -q "port server" "$RUN/refused" || fail "$(cat "$RUN/refused")"

for side in a b; do
	on "$side"
	assert_ledger
done
kill "$HOST_A" "$HOST_B"
for pid in "$HOST_A" "$HOST_B"; do
	wait "$pid" || fail "vswitchd ended with $? on SIGTERM"
done
exit 0

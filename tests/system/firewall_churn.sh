#!/bin/bash
# Rules, groups, sets, ports and blocks come and go in any order under traffic, in the build with
# sanitizers where there is one: nothing crashes, nothing is left over, and the end state decides as
# if it had been there from the start.
# Catalogue: 56, 57.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

# An older one is of other sources.
if [ "$VSWITCH_BUILD/san/vswitchd" -nt "$VSWITCH_BUILD/vswitchd" ]; then
	export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
	export LSAN_OPTIONS=suppressions=$TESTS/lsan.supp:print_suppressions=0
	VSWITCHD=$VSWITCH_BUILD/san/vswitchd
fi
A=$(mac_of 1) B=$(mac_of 2)
ns_quiet a b c
{
	vswitch_section
	cat <<-END
		firewall: {pick-up: 0}
		networks: [{name: office, tenant: acme, $TYPES}]
		groups:
		  - name: base
		    tenant: acme
		    rules:
		      - {name: ping, direction: in, protocol: icmp, action: allow}
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], groups: [base]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], groups: [base]")
	END
} >"$RUN/vswitch.yaml"
switch_spawn
for i in a:1 b:2; do ns_addresses ${i%:*} 10.0.0.${i#*:}/24; done
ping_ok a 10.0.0.2
wire_open

# What the rules below are about, some of it from ports that come and go, again and again.
for ((i = 0; i < 200; i++)); do
	udp "$B" "$A" 10.0.0.1 10.0.0.2 $((20000 + i)) $((1000 + i % 20))
	udp "$B" "$A" fd00::1 fd00::2 $((20000 + i)) $((1000 + i % 20))
	tcp "$B" "$A" 10.0.0.1 10.0.0.2 $((20000 + i)) $((1000 + i % 20))
done >"$RUN/traffic"
cat >"$RUN/again" <<'END'
#!/bin/bash
while "$1" lines net0 4000 <"$2"; do :; done
END
chmod +x "$RUN/again"
spawn_ns a "$RUN/again" "$FRAMES" "$RUN/traffic"
AGAIN=$SPAWNED
pings_start a 10.0.0.2

# attempt JSON: one that may be refused, for what it is about may not be there.
refusals=0
attempt() {
	echo "$1" >&"${WIRE[1]}"
	read -r -t 20 REPLY <&"${WIRE[0]}" || fail "no answer to $1: $(tail -n 40 "$RUN/vswitchd.log")"
	case $REPLY in
	*'"ok":true'*) ;;
	*'"code":"refused"'*) refusals=$((refusals + 1)) ;;
	*) fail "$1: $REPLY" ;;
	esac
}
RANDOM=${SEED:-7}
pick() { local -n from=$1 && PICKED=${from[RANDOM % ${#from[@]}]}; }
MEMBER=(add del) GROUPS_=(g0 g1 g2) ACTIONS=(allow deny reject)
REMOTES=('"remote":"any"' '"remote.group":"g0"' '"remote.group":"g1"' '"remote.set":"s0"' '"remote.set":"s1"' '"remote":"10.0.0.0/28"' '"remote":"fd00::/64"')
change() {
	local group remote action member
	pick GROUPS_ && group=$PICKED
	pick REMOTES && remote=$PICKED
	pick ACTIONS && action=$PICKED
	case $((RANDOM % 12)) in
	0) attempt "{\"command\":\"group add\",\"args\":{\"name\":\"$group\",\"settings\":{\"tenant\":\"acme\"}}}" ;;
	1) attempt "{\"command\":\"group del\",\"args\":{\"name\":\"$group\"}}" ;;
	2 | 3 | 4) attempt "{\"command\":\"rule add\",\"args\":{\"group\":\"$group\",\"at\":0,\"settings\":{\"direction\":\"in\",\"protocol\":\"udp\",\"ports\":\"$((1000 + RANDOM % 20))-1020\",$remote,\"action\":\"$action\",\"log\":\"true\"}}}" ;;
	5) attempt "{\"command\":\"rule del\",\"args\":{\"group\":\"$group\",\"rule\":\"0\"}}" ;;
	6) attempt "{\"command\":\"port set\",\"args\":{\"name\":\"b\",\"settings\":{\"groups\":\"base,$group\"}}}" ;;
	7) attempt "{\"command\":\"port set\",\"args\":{\"name\":\"a\",\"settings\":{\"groups\":\"$group,base\"}}}" ;;
	8) attempt "{\"command\":\"set add\",\"args\":{\"name\":\"s$((RANDOM % 2))\",\"tenant\":\"acme\",\"settings\":{\"addresses\":\"10.0.0.1\"}}}" ;;
	9) pick MEMBER && member=$PICKED && attempt "{\"command\":\"set member $member\",\"args\":{\"set\":\"s$((RANDOM % 2))\",\"addresses\":[\"10.0.$((RANDOM % 9)).0/24\"]}}" ;;
	10) attempt "{\"command\":\"block\",\"args\":{\"service\":\"udp/$((1000 + RANDOM % 20))\"}}" ;;
	11) attempt '{"command":"unblock","args":{"what":"all"}}' ;;
	esac
	[ $((RANDOM % 10)) != 0 ] || toggle_port
}
toggle_port() {
	[ $((RANDOM % 2)) = 0 ] && attempt '{"command":"port del","args":{"name":"c"}}' && return
	attempt "{\"command\":\"port add\",\"args\":{\"name\":\"c\",\"settings\":{\"network\":\"office\",\"vhost-user.socket\":\"$RUN/c.sock\",\"vhost-user.mode\":\"server\",\"ips\":\"10.0.0.3\",\"groups\":\"g0\"}}}"
}

note "changes in any order (SEED=${SEED:-7})"
changes=600
for ((i = 0; i < changes; i++)); do change; done
echo "   $changes changes, of which $refusals were refused"
[ $refusals -lt $((changes * 3 / 4)) ] || fail "most changes were refused, the last with $REPLY"
pings_stop
kill "$AGAIN"
wait "$AGAIN" 2>/dev/null
attempt '{"command":"unblock","args":{"what":"all"}}'

note "what is left after all that is the file's rules again, and only those"
ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "config apply"
[ "$(ctl group list -j | jq -c 'map(.name)')" = '["base"]' ] || fail "$(ctl group list)"
[ "$(ctl set list -j | jq length)" = 0 ] && [ "$(ctl block list -j | jq length)" = 0 ] || fail "sets or blocks are left"
ping_ok a 10.0.0.2
for port in 1000 1010 1020; do
	drops policy_in "UDP to $port" "$(udp "$B" "$A" 10.0.0.1 10.0.0.2 9 $port)"
	drops policy_in "UDP to $port over IPv6" "$(udp "$B" "$A" fd00::1 fd00::2 9 $port)"
done
probe a b

note "57: every drop has its reason and its port"
ctl drops a -j >"$RUN/drops"
jq -e --argjson total "$(ctl stats a -j | jq '.ports[0].dropped')" '[.[] | select(.stage == "in") | .packets] | add == $total' \
	"$RUN/drops" >/dev/null || fail "$(cat "$RUN/drops") $(ctl stats a)"
for reason in policy_in blocked; do
	[ "$(drops_of a $reason)" -gt 0 ] || fail "nothing was ever dropped as $reason: $(ctl drops a)"
done
jq -se '[.[] | select(.event_type == "drop" and .metadata.from_port == "a" and .dest_port >= 1000)] | length > 10' \
	"$RUN/eve.json" >/dev/null || fail "hardly an event of a drop"

assert_ledger
switch_stop
! grep -E "ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:" "$RUN/vswitchd.log" || fail "a sanitizer found a fault"

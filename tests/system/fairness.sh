#!/bin/bash
# One guest floods SYNs and another random UDP, each more than the table holds, while a third opens
# TCP connections: none of those fails, and none that was open is lost. Quotas raise events.
# Catalogue: 63, 64; issue item 6.
# Runs alone: it floods a worker.
CONNECTIONS=4096
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

C=$(mac_of 3) D=$(mac_of 4) E=$(mac_of 5)
ns_quiet a b c d e
switch_start <<END
networks: [{name: office, tenant: acme, $TYPES}]
ports:
$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1]")
$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2]")
$(port_yaml c office "mac: 02:00:00:00:00:03, ips: [10.0.0.3]")
$(port_yaml d office "mac: 02:00:00:00:00:04, ips: [10.0.0.4]")
$(port_yaml e office "mac: 02:00:00:00:00:05, ips: [10.0.0.5], connections: {max: 500}")
END
# The flooding ones and their target have no addresses, so nobody answers.
for i in a:1 b:2; do ns_addresses ${i%:*} 10.0.0.${i#*:}/24; done
spawn_ns b socat TCP-LISTEN:5001,reuseaddr,fork,backlog=128 EXEC:cat
listens() { in_ns b ss -Hlnt 'sport = :5001' | grep -q .; }
wait_for 10 listens

# numbered FRAME AT: without end, the frame with two ports in hex that count through all there are.
numbered() {
	awk -v head="${1:0:$2}" -v tail="${1:$(($2 + 8))}" \
		'BEGIN { for (i = 0; ; i++) printf "%s%04x%04x%s\n", head, 1024 + (i * 7919) % 60000, 1 + (i * 104729) % 65535, tail }'
}
flood() { # NAME FRAME: 10,000 a second; its process is $SPAWNED
	# shellcheck disable=SC2016
	spawn_ns "$1" bash -c "$(declare -f numbered); exec \"\$2\" lines net0 10000 < <(numbered \"\$1\" 68)" bash "$2" "$FRAMES"
}
full() { [ "$(ctl conn count -j | jq .connections)" -ge 3600 ]; }
quota_event() { jq -se "any(.[] | select(.event_type == \"quota\") | .metadata; $1)" "$RUN/eve.json"; }
pushed_out() { ctl status -j | jq .firewall.pushed_out; }

note "a connection that is open before"
mkfifo "$RUN/say"
spawn_ns a socat "OPEN:$RUN/say,rdonly!!OPEN:$RUN/heard,creat,wronly" TCP:10.0.0.2:5001
exec 8>"$RUN/say"
echo before >&8
wait_for 10 grep -q before "$RUN/heard"

note "the floods fill the table"
flood c "$(tcp "$D" "$C" 10.0.0.3 10.0.0.4 1 1)"
SYNS=$SPAWNED
flood e "$(udp "$D" "$E" 10.0.0.5 10.0.0.4 1 1)"
DATAGRAMS=$SPAWNED
wait_for 30 full
before=$(pushed_out)

note "and 150 connections are opened, one like the other"
# shellcheck disable=SC2016
in_ns a timeout 120 bash -c 'for i in {1..150}; do
	exec 3<>/dev/tcp/10.0.0.2/5001 && echo "word $i" >&3 && read -r -t 20 answer <&3 &&
		[ "$answer" = "word $i" ] || { echo "connection $i failed"; exit 1; }
	exec 3>&-
done' >"$RUN/opened" 2>&1 || fail "a connection failed during the floods: $(cat "$RUN/opened")"
kill -0 "$SYNS" && kill -0 "$DATAGRAMS" || fail "a flood ended early"
[ "$(pushed_out)" -gt "$before" ] || fail "the floods pushed nothing out: there was no pressure"
echo after >&8
wait_for 10 grep -q after "$RUN/heard"
for reason in conn_table_full conn_limit_port conn_rate_port tcp_no_connection; do
	[ "$(drops_of a $reason)/$(drops_of b $reason)" = 0/0 ] || fail "$reason: $(ctl drops)"
done
[ "$(ctl conn count --port e -j | jq .connections)" -le 500 ] || fail "port e has more than its 500"

note "events say whose limit was reached"
wait_for 10 quota_event '.port == "e" and .percent == 100 and .limit == 500'
wait_for 10 quota_event '.worker != null and .percent >= 80'
quota_event '.port == "a" or .port == "b"' >/dev/null && fail "an event about a port that did nothing: $(grep quota "$RUN/eve.json")"
kill "$SYNS" "$DATAGRAMS"
wait "$SYNS" "$DATAGRAMS" 2>/dev/null
assert_ledger
switch_stop

#!/bin/bash
# Changes of rules under traffic: what is no longer allowed ends in both directions and comes back
# with its rule, what is still allowed never notices, nothing blinks, and an answered change is in
# force on every worker.
# Catalogue: 44 to 46; of complaints: 1 to 4 and 8.
WORKERS="0, $(($(nproc) - 1))"
[ "$(nproc)" -gt 1 ] || WORKERS=0
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2)
wide=$([ "$(nproc)" -gt 1 ] && echo 2 || echo 1)
ns_quiet a b c x y
switch_start <<END
firewall: {pick-up: 0}
networks:
  - {name: office, tenant: acme, home: ${WORKERS##* }}
  - {name: wide, tenant: wide, workers: $wide, $TYPES}
groups:
  - name: members
    tenant: acme
    rules:
      - {name: ping, direction: in, protocol: icmp, remote: 10.0.0.1, action: allow}
      - {name: tcp1, direction: in, protocol: tcp, ports: 5001, action: allow}
      - {name: tcp2, direction: in, protocol: tcp, ports: 5002, action: allow}
  - {name: other, tenant: acme}
  - name: toggled
    tenant: wide
    rules:
      - {name: udp, direction: in, protocol: udp, ports: 6000, action: allow}
ports:
$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1], groups: [members]")
$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2], groups: [members]")
$(port_yaml c office "mac: 02:00:00:00:00:03, ips: [10.0.0.3], groups: [members]")
$(port_yaml x wide "mac: 02:00:00:00:00:01, ips: [10.0.0.1]")
$(port_yaml y wide "mac: 02:00:00:00:00:02, ips: [$(seq -s , -f 10.0.0.%g 2 9)], groups: [toggled]")
END
for i in a:1 b:2 c:3 x:1 y:2; do ns_addresses ${i%:*} 10.0.0.${i#*:}/24; done
wire_open
rule() { # add|del GROUP RULE [MORE]
	case $1 in
	add) edit "rule add" "\"group\":\"$2\",\"settings\":{$3}${4:+,$4}" ;;
	del) edit "rule del" "\"group\":\"$2\",\"rule\":\"$3\"" ;;
	esac
}
firewall_number() { ctl status -j | jq ".firewall.$1"; }

# Both ends of a connection send lines, and count those that come.
cat >"$RUN/both" <<'END'
#!/bin/bash
while echo line 2>/dev/null; do sleep 0.02; done &
cat >"$1"
END
chmod +x "$RUN/both"
lines() { wc -l <"$RUN/$1"; }
grown() { [ "$(lines "$1")" -ge "$2" ]; }
goes_on() { # FILE...: of each more comes
	local file
	for file in "$@"; do wait_for 20 grown "$file" $(($(lines "$file") + 10)); done
}
drops_more() { [ "$(drops_of "$1" "$2")" -ge "$3" ]; }

note "45, 46; 1 to 3: without its rule a connection ends both ways, with it both ways go on"
for n in 1 2; do
	spawn_ns b socat "TCP-LISTEN:500$n,reuseaddr" EXEC:"$RUN/both $RUN/b$n"
done
for n in 1 2; do
	wait_for 5 eval "in_ns b ss -ltn | grep -q ':500$n '"
	spawn_ns a socat "TCP:10.0.0.2:500$n" EXEC:"$RUN/both $RUN/a$n"
done
wait_for 10 test -e "$RUN/b1" -a -e "$RUN/b2" -a -e "$RUN/a1" -a -e "$RUN/a2"
goes_on a1 b1 a2 b2
before=$(firewall_number decided_again)
TCP1='"direction":"in","protocol":"tcp","ports":"5001","action":"allow","name":"tcp1"'
for round in 1 2; do
	rule del members tcp1
	got_a=$(lines a1) got_b=$(lines b1) revoked_a=$(drops_of a policy_revoked) revoked_b=$(drops_of b policy_revoked)
	# Each end sends again and again what was not acknowledged.
	wait_for 20 drops_more a policy_revoked $((revoked_a + 3))
	wait_for 20 drops_more b policy_revoked $((revoked_b + 3))
	# A line that was read from the socket before may still have been on its way to the file.
	[ "$(lines a1)" -le $((got_a + 2)) ] && [ "$(lines b1)" -le $((got_b + 2)) ] ||
		fail "round $round: lines came without a rule: $got_a, $got_b; now $(lines a1), $(lines b1)"
	goes_on a2 b2
	rule add members "$TCP1"
	goes_on a1 b1
done
[ "$(firewall_number decided_again)" -gt "$before" ] || fail "nothing was decided again"
[ "$(ctl conn list -j | jq '[.connections[] | select(.to_port == 5001 or .to_port == 5002)] | length')" = 2 ] ||
	fail "these are not the same connections: $(ctl conn list)"

note "44: 1,000 changes under a ping that is allowed and one that is not"
ping_ok a 10.0.0.2
# Of what is not allowed b must see nothing at all.
in_ns b "$FRAMES" watch net0 "$MARK" 300 >"$RUN/watch.b" 2>/dev/null &
PIDS+=($!)
wait_for 10 grep -qx ready "$RUN/watch.b"
ping_ok a 10.0.0.2
begin=$(now_us) denied=$(drops_of c policy_in)
spawn_ns c ping -i 0.001 10.0.0.2 >"$RUN/forbidden"
FORBIDDEN=$SPAWNED
pings_start a 10.0.0.2
NEW='"direction":"in","protocol":"tcp","ports":"7","action":"allow","name":"new"'
for ((i = 0; i < 250; i++)); do
	# In the group of both pings: before their rules, behind them, and a group that comes and goes.
	rule add members "$NEW" '"at":0'
	rule del members new
	edit "port set" '"name":"b","settings":{"groups":"other,members"}'
	edit "port set" '"name":"b","settings":{"groups":"members"}'
done
took=$(($(now_us) - begin))
kill -INT "$FORBIDDEN"
wait "$FORBIDDEN"
pings_stop
echo "   1,000 changes in $((took / 1000)) ms"
grep -q "icmp_seq" "$RUN/forbidden" && fail "a forbidden ping was answered: $(tail -n 3 "$RUN/forbidden")"
[ "$(drops_of c policy_in)" -gt $((denied + 100)) ] || fail "c was hardly denied anything: $(ctl drops c)"
from_c="^$B$(mac_of 3)0800"
[ "$(grep -c "$from_c" "$RUN/watch.b")" = 0 ] || fail "$(grep -c "$from_c" "$RUN/watch.b") forbidden packets got through"
grep -q "^$B${A}0800" "$RUN/watch.b" || fail "the watch saw none of the allowed either"

note "1, 8: a change that is answered is in force on all workers ($wide here)"
for ((round = 0; round < 5; round++)); do
	rule del toggled udp
	for ((i = 2; i <= 9; i++)); do
		drops policy_in "to 10.0.0.$i without the rule" "$(udp "$B" "$A" 10.0.0.1 10.0.0.$i $((10000 + round)) 6000)"
	done
	probe x y >/dev/null
	rule add toggled '"direction":"in","protocol":"udp","ports":"6000","action":"allow","name":"udp"'
	for ((i = 2; i <= 9; i++)); do
		passes "to 10.0.0.$i with the rule" "$(udp "$B" "$A" 10.0.0.1 10.0.0.$i $((20000 + round)) 6000)"
	done
	probe x y >/dev/null
done
[ "$wide" = 1 ] || ctl conn list --network wide -j |
	jq -e '[.connections[].worker] | unique | length == 2' >/dev/null ||
	fail "all of these connections are on one worker"

note "4; 44: another tenant's connections are not decided again, however many there are"
# What x opened before is opened, and now all of it sends once more, in the same state of rules.
settle_x() {
	local before
	before=$(received x)
	for ((i = 0; i < 2000; i++)); do echo "${TEMPLATE:0:68}$(printf '%04x' $((30000 + i)))${TEMPLATE:72}"; done |
		in_ns x "$FRAMES" lines net0 5000
	settled x $((before + 2000))
}
TEMPLATE=$(udp "$B" "$A" 10.0.0.1 10.0.0.2 30000 6000)
settle_x
before=$(firewall_number decided_again)
begin=$(now_us)
for ((i = 0; i < 20; i++)); do
	rule add members "$NEW" '"at":0'
	rule del members new
done
echo "   40 changes with $(firewall_number connections) connections in $((($(now_us) - begin) / 1000)) ms"
opened=$(firewall_number opened)
settle_x
again=$(($(firewall_number decided_again) - before))
# The two of TCP that go on, and a's pings, are of the tenant whose rules changed.
[ "$again" -le 200 ] || fail "$again connections were decided again"
[ $(($(firewall_number opened) - opened)) -lt 100 ] || fail "the connections had to be opened again"
before=$(firewall_number decided_again)
rule add toggled "$NEW"
settle_x
again=$(($(firewall_number decided_again) - before))
[ "$again" -ge 2000 ] || fail "of its own tenant's only $again were decided again"

assert_ledger
switch_stop

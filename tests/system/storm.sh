#!/bin/bash
# Storm control: what a port sends for many beyond its rate is dropped, counted by kind, and costs
# the others nothing.
# Catalogue: 41.
. "$(dirname "$0")/lib.bash"

ns_quiet loud quiet other
switch_start <<END
networks: [{name: office, $TYPES}]
ports:
$(port_yaml loud office "mac: 02:00:00:00:00:01, storm: {broadcast: 100, multicast: 0, unknown-unicast: 50}")
$(port_yaml quiet office "mac: 02:00:00:00:00:02")
$(port_yaml other office)
END
ip -n "$(ns quiet)" address add 10.0.0.2/24 dev net0
ip -n "$(ns other)" address add 10.0.0.3/24 dev net0
ping_ok quiet 10.0.0.3

spawn_ns quiet ping -i 0.01 -c 200 -q 10.0.0.3 >"$RUN/ping.quiet"
pinging=$SPAWNED
watch other
before=$(received loud)
send loud "$(frame $BROADCAST "$(mac_of 1)")" 2000 10000
send loud "$(frame 01005e000001 "$(mac_of 1)")" 100 10000
send loud "$(frame 02000000beef "$(mac_of 1)")" 2000 10000
settled loud $((before + 4100))
watched quiet other

note "of each kind at most the depth of its bucket and what refilled it meanwhile passed"
broadcast=$(drops_of loud storm_broadcast) unknown=$(drops_of loud storm_unknown)
echo "   dropped: $broadcast of 2000 broadcasts, $unknown of 2000 unknown unicasts"
[ "$broadcast" -gt 1000 ] && [ "$broadcast" -lt 2000 ] || fail "broadcasts: $(ctl drops loud)"
[ "$unknown" -gt 1000 ] && [ "$unknown" -lt 2000 ] || fail "unknown unicasts: $(ctl drops loud)"
assert_drops loud storm_multicast 100 # a rate of 0 lets none through
assert_seen other $((4000 - broadcast - unknown))

note "unicast between the others went on meanwhile"
wait "$pinging" || fail "ping: $(cat "$RUN/ping.quiet")"
grep -q ' 0% packet loss' "$RUN/ping.quiet" || fail "lost: $(cat "$RUN/ping.quiet")"

note "a rate that is raised holds at once"
ctl port set loud storm.broadcast=100000
before=$(received loud) broadcast=$(drops_of loud storm_broadcast)
send loud "$(frame $BROADCAST "$(mac_of 1)")" 500 10000
settled loud $((before + 500))
assert_drops loud storm_broadcast "$broadcast"

assert_ledger
switch_stop

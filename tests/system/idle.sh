#!/bin/bash
# A quiet switch costs next to nothing, and the first packet after a sleep is through at once.
# The figures that the issue asks for (3 % of a core; 200 us at the median, 1 ms at the 99th percentile)
# are for a quiet machine; here they are printed, and what is asserted holds on a busy one too.
# Catalogue: 6 (an absent guest is not polled), 19 (wake-up), 74 (idle), and issue item 5.
# Runs alone: it measures how much CPU time a switch takes.
. "$(dirname "$0")/lib.bash"

ns_quiet a b
switch_start <<END
networks: [{name: office}]
ports:
$(port_yaml a office)
$(port_yaml b office)
$(for i in $(seq 14); do
	echo "  - {name: vm$i, network: office, vhost-user: {socket: $RUN/vm$i.sock, queues: 2}}"
done)
END
ip -n "$(ns a)" address add 10.0.0.1/24 dev net0
ip -n "$(ns b)" address add 10.0.0.2/24 dev net0
ping_ok a 10.0.0.2

ticks() { awk '{ print $14 + $15 }' "/proc/$SWITCH_PID/stat"; }

note "16 quiet ports"
wait_for 5 eval 'ctl worker list -j | jq -e ".[0].sleeping"'
before=$(ticks)
# Time itself is what is measured here.
in_ns a ping -q -i 4 -c 2 10.0.0.2 >/dev/null
used=$(($(ticks) - before))
echo "   $used ticks of CPU in 4 s: $((used * 100 / (4 * $(getconf CLK_TCK)))) % of a core"
[ "$used" -le $((4 * $(getconf CLK_TCK) / 20)) ] || fail "an idle switch uses more than 5 % of a core"

note "first packets after a sleep"
sleeps=$(ctl worker stats -j | jq '.[0].sleeps')
in_ns a ping -i 0.05 -c 60 10.0.0.2 | sed -n 's/.*time=\([0-9.]*\) ms/\1/p' | sort -n >"$RUN/times"
[ "$(wc -l <"$RUN/times")" = 60 ] || fail "pings were lost"
[ $(($(ctl worker stats -j | jq '.[0].sleeps') - sleeps)) -ge 30 ] || fail "the worker did not sleep in between"
echo "   round trips (two wake-ups): median $(sed -n 30p "$RUN/times") ms, 59 of 60 within $(sed -n 59p "$RUN/times") ms"
awk -v t="$(sed -n 30p "$RUN/times")" 'BEGIN { exit !(t < 20) }' || fail "waking takes too long"

assert_ledger
switch_stop

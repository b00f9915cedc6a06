#!/bin/bash
# Live migration of a guest between two ports of the switch: memory arrives whole although the switch
# wrote to it meanwhile (dirty logging), and the switch finds the guest at its new port at once by the
# RARP that the vhost library sends for it.
# Catalogue: 36 (a stale MAC after migration), and issue item 2.
. "$(dirname "$0")/guest.bash"

ns_quiet host
switch_start <<END
networks: [{name: office}]
ports:
  - {name: from, network: office, vhost-user: {socket: $RUN/from.sock}}
  - {name: to, network: office, vhost-user: {socket: $RUN/to.sock}}
$(port_yaml host office)
END
ip -n "$(ns host)" address add 10.0.0.9/24 dev net0
start from client 1
up from
guest_ping_ok from 10.0.0.9
port_of() { ctl fdb show -j | jq -r --arg mac "$1" '.[] | select(.mac == $mac) | .port'; }
[ "$(port_of 02:00:00:00:00:01)" = from ] || fail "the guest was not learned: $(ctl fdb show)"

note "a digest of memory, packets into it, and the guest moves"
in_guest from "head -c 20000000 /dev/urandom >/tmp/blob; md5sum /tmp/blob >/tmp/blob.md5"
start to client 1 incoming=1
spawn_ns host ping -D -i 0.02 10.0.0.1 >"$RUN/flow"
pinging=$SPAWNED
wait_for 20 grep -q seq= "$RUN/flow"
guest_migrate from to 120 || fail "migration: $(ctl port list)"

note "it answers at its new port, the switch knows it there, and its memory is whole"
answers() { grep -c 'bytes from' "$RUN/flow"; }
before=$(answers)
wait_for 30 eval '[ "$(answers)" -ge '$((before + 50))' ]'
kill -INT "$pinging"
wait "$pinging"
[ "$(port_of 02:00:00:00:00:01)" = to ] || fail "the MAC is not at its new port: $(ctl fdb show)"
in_guest to "md5sum -c /tmp/blob.md5"
sed -n 's/^\[\([0-9.]*\)\] .*/\1/p' "$RUN/flow" |
	awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { printf "   longest time without an answer: %.2f s\n", gap }'
echo "   $(answers) answers, $(holes "$RUN/flow") missing"
missing=$(holes "$RUN/flow")
[ "$missing" -lt 200 ] || fail "$missing pings were lost"

assert_ledger
switch_stop

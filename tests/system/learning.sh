#!/bin/bash
# MAC tables: learning, ageing, limits and who pays at the limit, moves, flushing; what is known is
# never flooded.
# Catalogue: 34 (table full), 35 (moves), 36 (a moved MAC is found at once), 37 (known MACs are not
# flooded), and issue item 4.
. "$(dirname "$0")/lib.bash"

ns_quiet a b c
switch_start <<END
networks:
  - {name: office, $TYPES, mac-limit: 64, mac-age: 3s}
ports:
$(port_yaml a office "mac-limit: 40, storm: {unknown-unicast: 100000, broadcast: 100000}")
$(port_yaml b office)
$(port_yaml c office "mac: 02:00:00:00:00:03")
END
macs_of() { ctl fdb show -j --port "$1" | jq '[.[] | select(.type == "learned")] | length'; }
port_of() { ctl fdb show -j | jq -r --arg mac "$1" '.[] | select(.mac == $mac) | .port'; }
network() { ctl network show office -j | jq ".$1"; }
known_at() { [ "$(port_of "$1")" = "$2" ]; }
holds() { [ "$(macs_of "$1")" = "$2" ]; }

note "learned, and then not flooded: c gets nothing that is for b"
send b "$(frame $BROADCAST 020000000b01)"
wait_for 5 known_at 02:00:00:00:0b:01 b
watch b c
before=$(received a)
send a "$(frame 020000000b01 020000000a01)" 20
settled a $((before + 20))
watched a b c
assert_seen b 20
assert_seen c 0

note "unknown unicast goes to ports without a MAC of their own, and nowhere where it is forbidden"
watch b c
send a "$(frame 02000000dead 020000000a01)" 5
watched a b c
assert_seen b 5
assert_seen c 0
ctl network set office unknown-unicast=drop
before=$(received a)
send a "$(frame 02000000dead 020000000a01)" 5
settled a $((before + 5))
assert_drops a unknown_unicast 5
ctl network set office unknown-unicast=flood

note "a port at its own limit gives up its own addresses"
send a "$(frame $BROADCAST 020000aa0000)" 300 2000 300
wait_for 10 holds a 40
known_at 02:00:00:00:0b:01 b || fail "b lost its address to a's flood: $(ctl fdb show)"
[ "$(network macs_evicted)" -ge 200 ] || fail "evictions are not counted: $(ctl network show office)"

note "at the table's limit the port that holds most pays"
send b "$(frame $BROADCAST 020000bb0000)" 30 2000 30
wait_for 10 eval '[ "$(network macs)" = 64 ]'
[ "$(macs_of b)" -ge 30 ] || fail "b was refused for a's sake: $(macs_of b)"
[ "$(macs_of a)" -lt 40 ] || fail "a paid nothing: $(macs_of a)"

note "a MAC that moves is found at its new port with its first frame, and the move is told"
send a "$(frame $BROADCAST 020000000c0c)"
wait_for 5 known_at 02:00:00:00:0c:0c a
send b "$(frame $BROADCAST 020000000c0c)"
wait_for 5 known_at 02:00:00:00:0c:0c b
ctl fdb show --moves -j | jq -e '.[] | select(.mac == "02:00:00:00:0c:0c" and .from == "a" and .to == "b")' \
	>/dev/null || fail "the move is not listed: $(ctl fdb show --moves)"
wait_for 5 grep -q '"mac_move"' "$RUN/eve.json"
[ "$(network macs_moved)" -ge 1 ] || fail "moves are not counted"

note "flushed by port, then by age"
ctl fdb flush --port a
wait_for 5 holds a 0
[ "$(macs_of b)" -gt 0 ] || fail "b was flushed with a"
wait_for 15 holds b 0
[ "$(network macs_aged)" -gt 0 ] || fail "ageing is not counted"
[ "$(port_of 02:00:00:00:00:03)" = c ] || fail "a configured MAC aged"

assert_ledger
switch_stop

#!/bin/bash
# Live migration of a guest between two ports of the switch, one in each vhost-user mode: its memory
# arrives whole although the switch wrote to it meanwhile (dirty logging), and the switch finds the
# guest at its new port at once, by the RARP that the vhost library sends for it. Its connection goes on
# there, held against the new port's rules. No two ports of a network have the same mac, so that it may
# move both have it, with its address, among their pairs.
# Catalogue: 36 (a stale MAC after migration), and issue item 2.
#
# QEMU 7.2's software emulation itself loses stores of a guest that is busy while it is copied: with
# QEMU's own network card on taps, without vhost and this switch, 4 of 26 guests had wrong data or a
# crashed kernel after three migrations on a quiet machine, and half of them on a busy one. So the guest
# has little to do meanwhile here, and without KVM its memory has several tries to arrive whole. Without
# dirty logging it never does.
# Runs alone: guests in software emulation keep both cores busy.
. "$(dirname "$0")/guest.bash"

MAC=02:00:00:00:00:01
BYTES=2000000
# Without guest_announce the guest says nothing itself when it has moved, so RARP must do. Without
# mrg_rxbuf it has buffers that only the switch writes to.
CARD="guest_announce=off mrg_rxbuf=off"
TRIES=1
[ "$(guest_accel)" = kvm ] || TRIES=5

ns_quiet host peer
GUEST="groups: [members], pairs: [{ip: 10.0.0.1, mac: $MAC}]"
switch_start <<END
# What goes on after the move is no connection that was picked up for want of a better one.
firewall: {pick-up: 0}
networks: [{name: office, tenant: acme, $TYPES}]
groups:
  - name: members
    tenant: acme
    rules:
      - {direction: in, protocol: icmp, type: 8, remote: {group: members}, action: allow}
      - {name: xfer, direction: in, protocol: tcp, ports: 5001, remote: {group: members}, action: allow}
ports:
  - {name: left, network: office, vhost-user: {socket: $RUN/left.sock}, $GUEST}
  - {name: right, network: office, vhost-user: {socket: $RUN/right.sock, mode: server}, $GUEST}
$(port_yaml host office "ips: [10.0.0.9], groups: [members]")
$(port_yaml peer office)
END
ip -n "$(ns host)" address add 10.0.0.9/24 dev net0
learned_at() { [ "$(ctl fdb show -j | jq -r ".[] | select(.mac == \"$MAC\") | .port")" = "$1" ]; }
has_sent() { [ "$(ctl stats "$1" -j | jq '.ports[0].bytes_sent')" -ge "$2" ]; }
ended() { ! guest_state "$1"; }

# Seconds without an answer to ping, at the most.
gap() {
	sed -n 's/^\[\([0-9.]*\)\] .*seq=.*/\1/p' "$RUN/ping.host" |
		awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { print gap }'
}

# migrate_limits NAME BYTES-PER-SECOND MILLISECONDS: of the copy, and of the time without a guest.
migrate_limits() {
	guest_qmp "$1" '{"execute":"migrate-set-parameters","arguments":
{"max-bandwidth":'"$2"',"downtime-limit":'"$3"'}}' >/dev/null
}

migration() { guest_qmp "$1" '{"execute":"query-migrate"}' | jq -e "$2" >/dev/null; }
halfway() { migration "$1" '.status == "completed" or .ram.remaining < .ram.total / 2'; }
completed() { migration "$1" '.status == "completed"'; }

# moves FROM TO MODE: when QEMU has copied the half of it, the copy almost stands still, and the switch
# writes $BYTES into buffers all over the guest, where they stay, since nobody there takes them. What was
# copied before must be copied again: when they are taken at last, their digest says so, as nobody else
# sums these segments. False where memory is not whole.
moves() {
	local from=$1 to=$2 pinging sending before
	# shellcheck disable=SC2086 # several options
	start "$to" "$3" 1 $CARD incoming=1
	wait_for 20 test -S "$RUN/$to.migrate"
	in_guest "$from" "killall -STOP xfer"
	watch peer
	spawn_ns host ping -D -i 0.02 10.0.0.1 >"$RUN/ping.host"
	pinging=$SPAWNED

	migrate_limits "$from" 40000000 1 || fail "QEMU takes no limits"
	guest_qmp "$from" '{"execute":"migrate","arguments":{"uri":"unix:'"$RUN/$to.migrate"'"}}' >/dev/null ||
		fail "QEMU does not migrate"
	wait_for 60 halfway "$from"
	migrate_limits "$from" 10000 1 || fail "QEMU takes no limits"
	completed "$from" && return 1 # too fast to see anything
	before=$(ctl stats "$from" -j | jq '.ports[0].bytes_sent')
	spawn_ns host "$GUEST_IMAGE/xfer" send 10.0.0.1 5001 $BYTES $RANDOM >"$RUN/stream" 2>&1
	sending=$SPAWNED
	wait_for 60 has_sent "$from" $((before + BYTES))
	ended "$sending" && fail "nothing was left in the guest's buffers: $(cat "$RUN/stream")"
	migrate_limits "$from" 1000000000 500 || fail "QEMU takes no limits"
	wait_for 60 completed "$from"
	guest_stop "$from"

	wait_for 10 learned_at "$to"
	wait_for 10 state_is "$to" "queues enabled"
	watched host peer
	[ "$(seen peer "^.\{12\}${MAC//:/}8035")" -ge 1 ] || fail "no RARP was seen"
	guest_run "$to" "killall -CONT xfer" && wait "$sending" &&
		guest_run "$to" "md5sum -c /tmp/file.md5" >"$RUN/said" || return 1
	[ "$(ctl conn list -j --service tcp/5001 --port "$to" | jq ".connections | length")" = 1 ] ||
		fail "the stream's connection is not at $to: $(ctl conn list)"
	kill -INT "$pinging"
	wait "$pinging"
	sed 's/^/   /' "$RUN/stream"
	echo "   longest time without an answer: $(gap) s; $(grep -c seq= "$RUN/ping.host") answers," \
		"$(holes "$RUN/ping.host") missing"
}

# there_and_back: boots a guest and moves it. False where its memory did not arrive whole.
there_and_back() {
	guest_kill left
	guest_kill right
	ctl conn kill --service tcp/5001 >/dev/null || fail "connections of the try before stay"
	# shellcheck disable=SC2086 # several options
	start left client 1 $CARD
	up left
	guest_ping_ok left 10.0.0.9
	learned_at left || fail "the guest was not learned: $(ctl fdb show)"
	in_guest left "killall xfer; sysctl -w net.ipv4.tcp_rmem='4096 16000000 16000000'
xfer serve 5001 >/dev/null 2>&1 &
head -c 8000000 /dev/urandom >/tmp/file; md5sum /tmp/file >/tmp/file.md5"
	note "from left to right"
	moves left right server || return 1
	note "and back"
	moves right left client
}

try=1
until there_and_back; do
	echo "   the guest did not arrive whole: $(cat "$RUN/stream")"
	[ "$try" -lt "$TRIES" ] || fail "memory does not arrive whole"
	try=$((try + 1))
	note "QEMU's emulation may have done that: try $try of $TRIES"
	kill -9 "${PIDS[@]}" 2>/dev/null
	PIDS=()
done

assert_ledger
switch_stop

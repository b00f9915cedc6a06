#!/bin/bash
# Two guests, the switch as vhost-user client of one and server of the other: what is negotiated stays
# whole between them, and whichever side dies comes back by itself, in both modes.
# Catalogue: 8 (feature bits never shrink), 11 (kill -9 of either side), 12 (guest resets), 15
# (descriptors), 17 (states and errors in port show), 20 (indirect descriptors and mergeable buffers),
# 21 and 22 (partial checksums), 6 and 9 (a dead guest costs the others nothing).
# Runs alone: guests in software emulation keep both cores busy.
. "$(dirname "$0")/guest.bash"

BACK_LIMIT=2 # seconds from the switch's start to traffic between guests in both modes

ns_quiet host
switch_start <<END
networks: [{name: office}]
ports:
$(guest_yaml vm1 1)
$(guest_yaml vm2 2 "mode: server")
$(port_yaml host office)
END

# The kernel's interface ends with the switch; its address is given again.
host_address() { ip -n "$(ns host)" address replace 10.0.0.9/24 dev net0; }
host_address

note "before the guests: ports wait, and say for what"
state_is vm1 "waiting for socket" || fail "vm1: $(ctl port show vm1)"
assert_error vm1 "no socket at $RUN/vm1.sock"
state_is vm2 "waiting for connection" || fail "vm2: $(ctl port show vm2)"

start vm1 client 1
start vm2 server 2
note "while they boot: connected, and nothing more"
wait_for 30 state_is vm1 connected
wait_for 30 state_is vm2 connected
[ "$(port_field vm1 .peer.pid)" = "$(guest_pid vm1)" ] || fail "peer: $(port_field vm1 .peer)"
up vm1 vm2
for vm in vm1 vm2; do
	state_is $vm "queues enabled" || fail "$vm: $(ctl port show $vm)"
	[ "$(port_field $vm .error)" = null ] || fail "$vm has an error: $(port_field $vm .error)"
	for feature in csum guest_csum host_tso4 host_tso6 guest_tso4 guest_tso6 mrg_rxbuf \
		indirect_desc event_idx; do
		port_field $vm '.features[]' | grep -qx $feature || fail "$vm: $feature not negotiated"
		in_guest $vm "ethctl eth0 virtio $feature"
	done
	[ "$(port_field $vm .ring)" = split ] || fail "$vm: ring is $(port_field $vm .ring)"
done

note "ping, TCP and UDP, both ways and both families"
guest_ping_ok vm1 10.0.0.2
guest_ping_ok vm2 fd00::1
copies=$(ctl stats -j | jq .ledger.copies)
sent=$(guest_counter vm1 tx_queue_0_packets) got=$(guest_counter vm2 rx_queue_0_packets)
transfer vm1 10.0.0.2 40M
sent=$(($(guest_counter vm1 tx_queue_0_packets) - sent))
got=$(($(guest_counter vm2 rx_queue_0_packets) - got))
transfer vm2 10.0.0.1 40M
transfer vm1 fd00::2 20M
transfer vm2 fd00::1 20M
# Cut to 1448 bytes, 40 MB would be 27,600 packets.
echo "   40 MB left vm1 as $sent packets and reached vm2 as $got"
[ "$sent" -lt 10000 ] && [ "$got" -lt 10000 ] || fail "TSO did not cross whole"
# Broadcasts and multicasts make copies, segments would be thousands.
copies=$(($(ctl stats -j | jq .ledger.copies) - copies))
[ "$copies" -lt 500 ] || fail "the switch cut packets between guests that take them whole: $copies"
for vm in vm1 vm2; do
	in_guest $vm "udp echo 7 >/dev/null 2>&1 &"
done
assert_udp_sum vm2 partial in_guest vm1 "udp ping 10.0.0.2 7 100 1"
in_guest vm1 "udp ping 10.0.0.2 7 1472 50 && udp ping 10.0.0.2 7 60000 20"
in_guest vm2 "udp ping fd00::1 7 1452 50 && udp ping fd00::1 7 60000 20"

# Kills the switch, starts it again, and holds the time until vm1 has answers from vm2 to the limit.
# This machine may be busy with other things: time that vswitchd and QEMU stood ready to run, and got
# no core, is not the switch's and added to the limit. On a quiet machine that is next to nothing.
restart() {
	local when first before gap extra last
	switch_kill
	before=$(waited "$(guest_pid vm1)" "$(guest_pid vm2)")
	when=$(uptime_of vm1)
	switch_spawn
	wait_for 30 answered vm1 "$when" 5
	extra=$(waited "$(guest_pid vm1)" "$(guest_pid vm2)" "$SWITCH_PID")
	extra=$(awk "BEGIN { print $extra - $before }")
	first=$(answers_since vm1 "$when" | awk 'NR == 1 { print $1 }')
	last=$(ping_log vm1 | awk -v at="$when" '/seq=/ && $1 < at { last = $1 } END { print last }')
	gap=$(awk "BEGIN { print $first - $when }")
	echo "   traffic back $gap s after the switch's start, $(awk "BEGIN { print $first - $last }") s" \
		"after the last answer (limit $BACK_LIMIT s + $extra s without a core)"
	less "$gap" "$(awk "BEGIN { print $BACK_LIMIT + $extra }")" || fail "that is too late"
	host_address
}

note "kill -9 of the switch, and a new one: traffic is back, with no action in the guests"
ping_start vm1 10.0.0.2
restart
in_guest vm2 "ip link show eth0 | grep -q LOWER_UP"
restart

note "the same in the middle of a TCP transfer, which ends with the right digest"
guest_spawn vm1 xfer "xfer send 10.0.0.2 5001 100M"
wait_for 30 has_received vm1 300
restart
guest_run vm1 "[ ! -e /tmp/spawn.xfer.rc ]" || echo "   (it had ended before)"
guest_join vm1 xfer 60 | sed 's/^/   /'
[ "${PIPESTATUS[0]}" = 0 ] || fail "the transfer did not survive"
ping_stop vm1
for vm in vm1 vm2; do
	state_is $vm "queues enabled" && [ "$(port_field $vm .error)" = null ] ||
		fail "$vm after it all: $(ctl port show $vm)"
done

# What the switch holds now is what it must hold after all that follows.
guest_ping_ok vm2 10.0.0.9
fds=$(descriptors) free=$(buffers_free)

# dies NAME OTHER STATE: kill -9 and a new QEMU, while OTHER's ping loses nothing.
dies() {
	local name=$1 other=$2 n=$3
	ping_start "$other" 10.0.0.9
	guest_kill "$name"
	wait_for 10 state_is "$name" "$4"
	# Nobody there to take it, and that is said.
	guest_run "$other" "ping -c 2 -i 0.1 -W 1 10.0.0.$n" >/dev/null && fail "the dead $name answers"
	[ "$(drops_of "$name" tx_not_ready)" -gt 0 ] || fail "drops to $name: $(ctl drops "$name")"
	[ -z "${5:-}" ] || assert_error "$name" "$5"
	start "$name" "$6" "$n"
	up "$name"
	guest_ping_ok "$other" "10.0.0.$n"
	ping_goes_on "$other"
	transfer "$other" "10.0.0.$n" 5M
}

note "kill -9 of a guest, and a new QEMU on its socket; the other one is unharmed"
dies vm1 vm2 1 "waiting for socket" "nobody listens at $RUN/vm1.sock" client
dies vm2 vm1 2 "waiting for connection" "" server

note "guests are reset, also in the middle of booting"
for i in 1 2 3; do
	for vm in vm1 vm2; do
		guest_reset $vm || fail "$vm cannot be reset"
	done
	[ $i = 2 ] || up vm1 vm2
done
guest_ping_ok vm1 10.0.0.2
transfer vm2 10.0.0.1 5M

note "nothing is left behind: descriptors and packet buffers are as before"
wait_for 10 eval '[ "$(descriptors)" = "$fds" ]'
wait_for 10 eval '[ "$(buffers_free)" = "$free" ]'

note "feature bits offered once are offered ever after"
grep -q '"offered"' "$RUN/state/features-vm1.json" || fail "nothing remembered: $(ls "$RUN/state")"
offered=$(port_field vm1 '.features_offered | sort | join(" ")')
for vm in vm1 vm2; do
	ctl port set $vm vhost-user.tso=false || fail "tso=false refused"
done
restored() {
	state_is vm1 "queues enabled" && state_is vm2 "queues enabled" &&
		[ "$(port_field vm1 '.features_offered | sort | join(" ")')" = "$offered" ] &&
		port_field vm1 '.features_kept[]' | grep -qx guest_tso4
}
wait_for 20 restored
guest_ping_ok vm1 10.0.0.2
switch_kill
switch_spawn
host_address
wait_for 20 restored
sent=$(guest_counter vm1 tx_queue_0_packets)
transfer vm1 10.0.0.2 20M
[ $(($(guest_counter vm1 tx_queue_0_packets) - sent)) -lt 5000 ] || fail "TSO did not stay whole"

assert_ledger
switch_stop

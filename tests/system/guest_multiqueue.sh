#!/bin/bash
# Many flows over several queue pairs: guests that toggle theirs as fast as they can, queues and
# networks that move from worker to worker, a guest that asks for more than its port has, over and
# over; and a pair of others that loses nothing all the while.
# Catalogue: 3 and 4 (a guest that toggles its queues), 5 (queues that the guest did not enable), 9
# (one guest's messages and the others), 17 (more queues than there are, in port show).
# Runs alone: guests in software emulation keep both cores busy.
. "$(dirname "$0")/guest.bash"

[ "$(nproc)" -ge 2 ] || skip "moving queues between workers needs two cores"
WORKERS="0, 1"
ns_quiet a b
switch_start <<END
networks: [{name: office, workers: 2}]
ports:
$(guest_yaml vm1 1 "queues: 2" 'pairs: [{ip: "fd00::1:0/112"}]')
$(guest_yaml vm2 2 "queues: 4, mode: server" 'pairs: [{ip: "fd00::2:0/112"}]')
$(guest_yaml vm3 3 "queues: 2")
$(port_yaml a office)
$(port_yaml b office)
END
ip -n "$(ns a)" address add 10.0.0.11/24 dev net0
ip -n "$(ns b)" address add 10.0.0.12/24 dev net0
start vm1 client 1 queues=2
start vm2 server 2 queues=2
up vm1 vm2
ping_ok a 10.0.0.12

queues_are() { [ "$(port_field "$1" '[.queues_rx, .queues_tx] | tojson')" = "[[$2],[$2]]" ]; }

# flows FROM ADDRESS: eight TCP connections side by side, each with its digest.
flows() {
	in_guest "$1" "for i in 1 2 3 4 5 6 7 8; do
xfer send $2 5001 2M \$i >/tmp/flow.\$i & done; wait; cat /tmp/flow.*" 120
	[ "$(grep -c ^sent "$RUN/said")" = 8 ] || fail "flows from $1 to $2: $(cat "$RUN/said")"
}

note "both guests use two pairs, and packets come by both"
for vm in vm1 vm2; do
	in_guest $vm "ethctl eth0 channels"
	grep -q '^combined=2' "$RUN/said" || fail "$vm: $(cat "$RUN/said")"
	wait_for 10 queues_are $vm 0,1
done
flows vm1 10.0.0.2
flows vm2 fd00::1
# A worker has a queue of its own, and the addresses choose the worker: one pair of them has one queue.
by_both() {
	[ "$(guest_counter "$1" rx_queue_0_packets)" -gt 0 ] && [ "$(guest_counter "$1" rx_queue_1_packets)" -gt 0 ]
}
for vm in vm1:1:vm2 vm2:2:vm1; do
	IFS=: read -r vm number other <<<"$vm"
	for ((i = 1; i <= 30; i++)); do
		by_both $vm && break
		in_guest $vm "ip address add fd00::$number:$i/64 dev eth0"
		in_guest $other "ping -c 1 -W 5 fd00::$number:$i || ping -c 1 -W 5 fd00::$number:$i"
	done
	by_both $vm || fail "$vm does not get packets by both queues: $(guest_run $vm 'ethctl eth0 stats')"
done

note "vm1 toggles its second pair, again and again: its own TCP goes on, others lose nothing"
ping_start vm2 10.0.0.11
ns_ping_start a 10.0.0.12
guest_spawn vm1 xfer "xfer send 10.0.0.2 5001 60M"
in_guest vm1 "for i in $(seq -s ' ' 50); do
ethctl eth0 channels \$((i % 2 + 1)) || exit 1; usleep 50000; done"
guest_join vm1 xfer 120 >"$RUN/said" || fail "vm1's transfer: $(cat "$RUN/said")"
ping_goes_on vm2
ns_ping_lossless a

note "with one pair enabled, nothing goes to the other"
in_guest vm1 "ethctl eth0 channels 1"
wait_for 10 queues_are vm1 0
before=$(guest_counter vm1 rx_queue_1_packets)
flows vm2 10.0.0.1
flows vm1 fd00::2
[ "$(guest_counter vm1 rx_queue_1_packets)" = "$before" ] || fail "packets went to a disabled queue"
in_guest vm1 "ethctl eth0 channels 2"
wait_for 10 queues_are vm1 0,1

note "queues move between workers under traffic, and nothing is lost"
worker_of() {
	ctl worker list -j | jq ".[] | select(any(.queues[]; .port == \"$1\" and .queue == $2)) | .core"
}
ping_start vm1 10.0.0.2 0.02
ns_ping_start a 10.0.0.12
guest_spawn vm2 xfer "xfer send 10.0.0.1 5001 60M"
for core in 0 1 0 1; do
	for queue in 0 1; do
		for port in vm1 vm2; do
			ctl worker move port $port $queue $core >/dev/null || fail "queue not moved"
			[ "$(worker_of $port $queue)" = $core ] || fail "not moved: $(ctl worker list)"
		done
	done
	ctl worker move port a 0 $core >/dev/null || fail "queue not moved"
	ctl worker move network office $((1 - core)) >/dev/null || fail "network not moved"
done
guest_join vm2 xfer 120 >"$RUN/said" || fail "vm2's transfer: $(cat "$RUN/said")"
ping_goes_on vm1
ns_ping_lossless a

note "QEMU with more pairs than its port has: refused, with the reason, and nobody else notices"
ns_ping_start a 10.0.0.12
start vm3 client 3 queues=4
wait_for 20 error_says vm3 "limit of 2 queue pair(s)"
assert_error vm3 'raise `queues` of the port'
queues_are vm3 "" || fail "vm3 has queues: $(ctl port show vm3)"
grep -q "more queues than supported: 2" "$RUN/vm3.log" || fail "QEMU says: $(tail -n 3 "$RUN/vm3.log")"
# It comes back as often as it can, but what the switch writes of it is bounded.
[ "$(grep -c '"port":"vm3"' "$RUN/eve.json")" -lt 100 ] || fail "events without end"
guest_kill vm3
guest_ping_ok vm1 10.0.0.2
ns_ping_lossless a
start vm3 client 3 queues=2
up vm3
[ "$(port_field vm3 .error)" = null ] || fail "vm3: $(ctl port show vm3)"
guest_ping_ok vm3 10.0.0.2

assert_ledger
switch_stop

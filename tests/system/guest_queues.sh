#!/bin/bash
# Queues of guests: as many as the guest enables and no more than the configuration allows, split
# rings and packed ones, large frames, and receivers that take no offloads: what they can't take the
# switch completes. A guest that unbinds its driver over and over costs its neighbours nothing.
# Catalogue: 1 (driver re-bound), 3 (queues toggled), 5 (queues that the guest did not enable), 21 and
# 26 (receivers without offloads), 33 (MTU), and issue item 2.
# Runs alone: guests in software emulation keep both cores busy.
WORKERS="0, $(($(nproc) - 1))"
[ "$(nproc)" -gt 1 ] || WORKERS=0
. "$(dirname "$0")/guest.bash"

ns_quiet host peer
switch_start <<END
networks: [{name: office, mtu: 9000}]
ports:
$(guest_yaml vm1 1 "queues: 2" "mtu: 1500")
$(guest_yaml vm2 2 "mode: server, packed: true" "mtu: 1500")
$(port_yaml host office)
$(port_yaml peer office)
END
ip -n "$(ns host)" address add 10.0.0.9/24 dev net0
ip -n "$(ns peer)" address add 10.0.0.8/24 dev net0
start vm1 client 1 queues=2
start vm2 server 2 packed=on guest_csum=off guest_tso4=off guest_tso6=off guest_ufo=off guest_ecn=off \
	mrg_rxbuf=off
up vm1 vm2

note "two queue pairs of one guest, a packed ring and no offloads of the other"
[ "$(port_field vm1 '.queues')" = 2 ] || fail "vm1: $(ctl port show vm1)"
[ "$(port_field vm2 .ring)" = packed ] || fail "vm2: $(ctl port show vm2)"
port_field vm2 '.features[]' | grep -qx guest_csum && fail "vm2 was to have no guest_csum"
in_guest vm1 "ethctl eth0 channels"
sed 's/^/   /' "$RUN/said"
guest_ping_ok vm1 10.0.0.2
transfer vm1 10.0.0.2 5M # cut and summed for vm2 by the switch
transfer vm2 10.0.0.1 5M
[ "$(ctl stats -j | jq .ledger.copies)" -gt 3000 ] || fail "nothing was cut for vm2: $(ctl stats)"

note "guest and kernel port, 9000 bytes on this side and 1500 on that"
in_guest vm1 "ping -c 2 -W 3 10.0.0.9"
in_ns host ping -q -c 1 -W 1 -M do -s 4000 10.0.0.1 >/dev/null 2>&1 && fail "4028 bytes reached 1500"
[ "$(drops_of vm1 tx_mtu)" -gt 0 ] || fail "no drop named tx_mtu: $(ctl drops vm1)"

note "a queue is turned off and on again, and the driver re-bound, while others' pings lose nothing"
spawn_ns host ping -i 0.01 10.0.0.8 >"$RUN/flow"
pinging=$SPAWNED
for i in 1 2 3; do
	in_guest vm1 "ethctl eth0 channels 1"
	guest_ping_ok vm1 10.0.0.2
	in_guest vm1 "ethctl eth0 channels 2"
	guest_ping_ok vm1 10.0.0.9
done
for i in 1 2 3; do
	in_guest vm1 'd=$(basename $(readlink /sys/class/net/eth0/device)); cd /sys/bus/virtio/drivers/virtio_net &&
		echo $d >unbind && echo $d >bind && ip link set eth0 up && ip addr add 10.0.0.1/24 dev eth0'
	guest_ping_ok vm1 10.0.0.2
done
kill -INT "$pinging"
wait "$pinging"
echo "   $(grep -c seq= "$RUN/flow") answers, $(holes "$RUN/flow") missing"
[ "$(grep -c seq= "$RUN/flow")" -gt 50 ] && [ "$(holes "$RUN/flow")" = 0 ] || fail "packets were lost"

if [ "$(nproc)" -gt 1 ]; then
	note "its queues move between workers while packets flow"
	ping_start vm1 10.0.0.2
	for i in 0 1 0 1; do
		ctl worker move port vm1 0 $((i ? $(nproc) - 1 : 0))
		ctl worker move port vm1 1 $((i ? 0 : $(nproc) - 1))
		guest_ping_ok vm1 10.0.0.9
	done
	ping_goes_on vm1
fi
assert_ledger

note "a guest that wants more queues than the port has: it is told, and so is the operator"
guest_stop vm1
wait_for 20 state_is vm1 "waiting for socket"
start vm1 client 1 queues=4
wait_for 60 eval '[ -n "$(port_field vm1 ".error // empty")" ]'
wait_for 60 error_says vm1 queue
echo "   $(port_field vm1 .error)"
guest_kill vm1

assert_ledger
switch_stop

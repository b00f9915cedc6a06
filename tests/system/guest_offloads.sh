#!/bin/bash
# Receivers that lack what senders leave open: one without checksums, one without segmentation, one
# with a packed ring and large frames, beside one that takes everything and a kernel port. Each gets
# what it negotiated, whole where it can and completed where it can't; TCP's digests say so.
# Catalogue: 1 (driver bound again under traffic), 13 (buffers), 21 (partial checksums), 26 and 27
# (segments for a receiver without TSO), 32 (frames over several buffers), 33 (MTU to the guest).
# Runs alone: guests in software emulation keep both cores busy.
. "$(dirname "$0")/guest.bash"

ns_add host
ns_quiet a b
switch_start <<END
networks: [{name: office, mtu: 9000}]
ports:
$(guest_yaml full 1 "" "mtu: 1500")
$(guest_yaml nosum 2 "mode: server" "mtu: 1500")
$(guest_yaml notso 3 "" "mtu: 1500")
$(guest_yaml large 4 "packed: true, mode: server")
$(port_yaml host office)
$(port_yaml a office)
$(port_yaml b office)
END
ip -n "$(ns host)" address add 10.0.0.9/24 dev net0
ip -n "$(ns host)" address add fd00::9/64 dev net0
ip -n "$(ns a)" address add 10.0.0.11/24 dev net0
ip -n "$(ns b)" address add 10.0.0.12/24 dev net0
spawn_ns host "$GUEST_IMAGE/xfer" serve 5001 >"$RUN/xfer"
spawn_ns host "$GUEST_IMAGE/udp" echo 7 >"$RUN/udp"
wait_for 10 grep -qx ready "$RUN/xfer"
wait_for 10 grep -qx ready "$RUN/udp"
start full client 1
start nosum server 2 guest_csum=off guest_tso4=off guest_tso6=off guest_ufo=off guest_ecn=off
start notso client 3 guest_tso4=off guest_tso6=off mrg_rxbuf=off
start large server 4 packed=on mrg_rxbuf=off mtu=9000
up full nosum notso large

# has NAME FEATURE yes|no: the guest's driver and the switch agree on it.
has() {
	local guest=no switch=no
	guest_run "$1" "ethctl eth0 virtio $2" && guest=yes
	port_field "$1" '.features[]' | grep -qx "$2" && switch=yes
	[ "$guest $switch" = "$3 $3" ] || fail "$1: $2: guest $guest, switch $switch, expected $3"
}

note "each has what it was given"
has full guest_tso4 yes && has full mrg_rxbuf yes
has nosum guest_csum no && has nosum guest_tso4 no && has nosum mrg_rxbuf yes
has notso guest_csum yes && has notso guest_tso6 no && has notso mrg_rxbuf no
has large guest_tso4 yes && has large mrg_rxbuf no && has large ring_packed yes
[ "$(port_field large .ring)" = packed ] || fail "ring: $(ctl port show large)"

note "a partial checksum stays open for who takes it, and is completed for who does not"
for vm in full nosum notso large; do
	in_guest $vm "udp echo 7 >/dev/null 2>&1 &"
done
assert_udp_sum notso partial in_guest full "udp ping 10.0.0.3 7 100 1"
assert_udp_sum large partial in_guest full "udp ping 10.0.0.4 7 100 1"
assert_udp_sum nosum full in_guest full "udp ping 10.0.0.2 7 101 1"
assert_udp_sum nosum full in_ns host "$GUEST_IMAGE/udp" ping 10.0.0.2 7 100 1
assert_udp_sum full partial in_ns host "$GUEST_IMAGE/udp" ping 10.0.0.1 7 100 1
in_guest full "udp ping fd00::2 7 1000 20 && udp ping fd00::3 7 1000 20 && udp ping fd00::9 7 1000 20"

# packets_for NAME COMMAND...: how many packets the guest gets meanwhile, as $PACKETS.
packets_for() {
	local name=$1 before
	shift
	before=$(guest_counter "$name" rx_queue_0_packets)
	"$@"
	PACKETS=$(($(guest_counter "$name" rx_queue_0_packets) - before))
	echo "   $PACKETS packets to $name"
}

note "TCP in large pieces: whole, or cut into what the receiver takes"
# 5 MB are 3,453 segments of 1448 bytes, or 80 packets of 64 KiB.
packets_for nosum transfer full 10.0.0.2 5M
[ "$PACKETS" -ge 3453 ] || fail "nosum got larger packets than it takes"
packets_for nosum transfer large fd00::2 5M
[ "$PACKETS" -ge 3453 ] || fail "nosum got larger packets than it takes"
packets_for notso transfer full 10.0.0.3 5M
[ "$PACKETS" -ge 3453 ] || fail "notso got larger packets than it takes"
packets_for large transfer full fd00::4 5M
[ "$PACKETS" -lt 1500 ] || fail "packets to large were cut"
packets_for full transfer nosum 10.0.0.1 5M
[ "$PACKETS" -lt 1500 ] || fail "packets to full were cut"
transfer notso 10.0.0.4 5M
transfer large 10.0.0.3 5M

# from_host ADDRESS BYTES
from_host() {
	in_ns host "$GUEST_IMAGE/xfer" send "$1" 5001 "$2" >"$RUN/said" 2>&1 ||
		fail "host to $1: $(cat "$RUN/said")"
	sed "s/^/   host to $1: /" "$RUN/said"
}

note "guests and the host's kernel, both ways and both families"
n=0
for vm in full nosum notso large; do
	n=$((n + 1))
	transfer $vm 10.0.0.9 5M
	transfer $vm fd00::9 3M
	from_host 10.0.0.$n 5M
	from_host fd00::$n 3M
done
for vm in full nosum notso large; do
	# Segments with errors, and checksums among them.
	in_guest $vm "awk '/^Tcp:/ && \$2 ~ /[0-9]/ { print \$14, \$16 }' /proc/net/snmp"
	[ "$(cat "$RUN/said")" = "0 0" ] || fail "$vm got bad segments: $(cat "$RUN/said")"
	in_guest $vm "awk '/^Udp:/ && \$2 ~ /[0-9]/ { print \$4, \$8 }' /proc/net/snmp"
	[ "$(cat "$RUN/said")" = "0 0" ] || fail "$vm got bad datagrams: $(cat "$RUN/said")"
done

note "9000 bytes where both take them, a named drop where one does not"
in_guest large "cat /sys/class/net/eth0/mtu"
[ "$(cat "$RUN/said")" = 9000 ] || fail "large was offered an MTU of $(cat "$RUN/said")"
[ "$(port_field large .mtu)" = 9000 ] && [ "$(port_field full .mtu)" = 1500 ] ||
	fail "MTUs: $(ctl port list)"
ping_ok host -M do -s 8972 10.0.0.4
in_guest large "udp ping 10.0.0.9 7 8900 20 && udp ping fd00::9 7 8900 20"
[ "$(drops_of large tx_mtu)" = 0 ] || fail "drops: $(ctl drops)"
ping_ok host -M do -s 1472 10.0.0.1
ping_fails host -M do -s 1473 10.0.0.1
[ "$(drops_of full tx_mtu)" = 2 ] || fail "drops: $(ctl drops)"

# rebind NAME DIGIT: takes the driver off the card for a moment and puts it on again.
rebind() {
	in_guest "$1" "cd /sys/bus/virtio/drivers/virtio_net && d=\$(basename virtio[0-9]*) &&
echo \$d >unbind && [ ! -e /sys/class/net/eth0 ] && echo \$d >bind && cd / &&
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad && ip link set eth0 up &&
ip addr add 10.0.0.$2/24 dev eth0"
}

note "drivers are unbound and bound under traffic: others lose nothing, and nothing is lost for good"
fds=$(descriptors) free=$(buffers_free)
ns_ping_start a 10.0.0.12
# spawn_ns, so that the process to be ended is ping itself and not a shell around it.
spawn_ns host ping -q -i 0.002 10.0.0.1 >"$RUN/flood.1" 2>&1
spawn_ns host ping -q -i 0.002 -s 8000 10.0.0.4 >"$RUN/flood.4" 2>&1
ping_start nosum 10.0.0.3
for i in 1 2 3 4 5 6 7 8 9 10; do
	rebind full 1
	rebind large 4
done
ping_goes_on nosum
ns_ping_lossless a
for vm in full large; do
	wait_for 20 state_is $vm "queues enabled"
	in_guest $vm "cd /sys/bus/virtio/drivers/virtio_net && basename virtio[0-9]* >/tmp/device &&
cat /tmp/device >unbind"
	wait_for 20 state_is $vm "memory mapped"
	wait_for 20 eval '[ "$(drops_of $vm tx_not_ready)" -gt 0 ]'
	in_guest $vm "cat /tmp/device >/sys/bus/virtio/drivers/virtio_net/bind; ip link set eth0 up"
	wait_for 20 state_is $vm "queues enabled"
done
in_guest full "ip addr add 10.0.0.1/24 dev eth0"
in_guest large "ip addr add 10.0.0.4/24 dev eth0"
for pid in "${PIDS[@]: -2}"; do
	kill -INT "$pid"
	wait "$pid"
done
transfer full 10.0.0.4 5M
from_host 10.0.0.4 5M
from_host 10.0.0.1 5M
wait_for 10 eval '[ "$(descriptors)" = "$fds" ]'
wait_for 10 eval '[ "$(buffers_free)" = "$free" ]'

assert_ledger
switch_stop

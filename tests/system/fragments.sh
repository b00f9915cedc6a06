#!/bin/bash
# Packets in fragments are decided on as a whole: what real kernels send, in both families, and raw
# fragments in any order, overlapping, tiny and never completed.
# Catalogue: 60, 61.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2)
ns_add a
ns_add b
ns_add c
switch_start <<END
firewall: {pick-up: 0}
networks: [{name: office, tenant: acme, $TYPES}]
groups:
  - name: some
    tenant: acme
    rules:
      - {direction: in, protocol: icmp, type: 8, action: allow}
      - {direction: in, protocol: icmpv6, type: 128, action: allow}
      - {direction: in, protocol: udp, ports: 53, action: allow}
ports:
$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1']")
$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], groups: [some]")
$(port_yaml c office "mac: 02:00:00:00:00:03, ips: [10.0.0.3, 'fd00::3'], default-in: deny")
END
for i in a:1 b:2 c:3; do ns_addresses ${i%:*} 10.0.0.${i#*:}/24 fd00::${i#*:}/64; done

note "pings of 8000 bytes"
ping_ok a 10.0.0.2
ping_ok a fd00::2
for to in 10.0.0.2 fd00::2; do
	before=$(received a)
	ping_ok a -s 8000 $to
	[ $(($(received a) - before)) -ge 12 ] || fail "they did not come in fragments"
done
before=$(drops_of c policy_in)/$(drops_of a policy_in)
for to in 10.0.0.3 fd00::3; do ping_fails a -s 8000 $to; done
[ "$(drops_of a policy_in)" -ge 24 ] || fail "they were not dropped by rule ($before): $(ctl drops a)"
assert_ledger

# From here on their kernels say nothing that we do not know of.
for name in a b c; do in_ns $name sysctl -qw net.ipv6.conf.all.disable_ipv6=1; done

# fragment PORT ID FROM TO [LAST]: of a datagram of 1200 bytes to that port, these bytes.
whole() {
	local data
	printf -v data '%2384s' ''
	printf '9c40%04x04b00000%s' "$1" "${data// /5}"
}
fragment() {
	local port=$1 id=$2 from=$3 to=$4 flags=2000 payload frame
	[ "${5:-}" = "" ] || flags=0000
	payload=$(whole "$port")
	printf -v flags '%04x' $((0x$flags | from / 8))
	frame=$(ipv4 "$B" "$A" 10.0.0.1 10.0.0.2 17 "${payload:from*2:(to-from)*2}" "$flags")
	# The identification is 1234 there, and the checksum of the header is not looked at.
	echo "${frame:0:36}$id${frame:40}"
}

note "in every order, all or none"
id=16
for order in "0 1 2" "0 2 1" "1 0 2" "1 2 0" "2 0 1" "2 1 0"; do
	for port in 53 54; do
		id=$((id + 1))
		for n in $order; do
			f=$(fragment $port "$(printf %04x $id)" $((n * 400)) $((n * 400 + 400)) "$([ $n = 2 ] && echo last)")
			if [ $port = 53 ]; then passes "fragment $n of $order" "$f"; else drops policy_in "fragment $n of $order" "$f"; fi
		done
	done
done
probe a b

note "overlapping, tiny and odd ones"
drops fragment_invalid "the first, overlapped" "$(fragment 53 0100 0 400)"
drops fragment_invalid "what overlaps it" "$(fragment 53 0100 392 800)"
drops fragment_invalid "what comes after that" "$(fragment 53 0100 400 1200 last)"
drops fragment_invalid "a tiny first one" "$(fragment 53 0101 0 16)"
drops fragment_invalid "what is behind a tiny one" "$(fragment 53 0101 16 400)"
drops fragment_invalid "no multiple of 8" "$(fragment 53 0102 0 396)"
probe a b

note "those whose rest never comes are dropped in time"
before=$(drops_of a fragment_timeout)
watch b
send a "$(fragment 53 0200 400 800)"
send a "$(fragment 53 0200 800 1200 last)"
send a "$(fragment 53 0201 0 400)"
timed_out() { [ "$(drops_of a fragment_timeout)" = $((before + 3)) ]; }
wait_for 40 timed_out
watched a b
assert_seen b 0 '^.\{24\}0800'
assert_ledger
switch_stop

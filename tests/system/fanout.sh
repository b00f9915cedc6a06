#!/bin/bash
# A guest that tries one host after another at 445 in vain is cut off from SMB; who pings a subnet, who
# is pinged from one, who is exempt, and who is tried are not.
. "$(dirname "$0")/lib.bash"

for name in worm victim monitor scanner stranger; do ns_add "$name"; done
switch_start <<END
networks:
  - {name: office, tenant: acme}
ports:
$(port_yaml worm office)
$(port_yaml victim office)
$(port_yaml monitor office)
$(port_yaml scanner office)
$(port_yaml stranger office)
inspection:
  - tenant: acme
    mode: prevent
    quarantine: {level: service, for: 1h}
    fan-out: {exempt: [scanner]}
END
n=1
for name in worm victim monitor scanner stranger; do
	ip -n "$(ns "$name")" address add "10.0.0.$n/24" dev net0
	ip -n "$(ns "$name")" link set net0 up
	n=$((n + 1))
done

# Hosts without SMB, which refuse.
for i in {20..39}; do ip -n "$(ns victim)" address add "10.0.0.$i/24" dev net0; done

# tries NAME: connects to 445 of them all and of 61 addresses where nobody lives, all at once
tries() {
	spawn_ns "$1" bash -c 'for i in {1..4} {20..39} {100..160}; do
		(: </dev/tcp/10.0.0.$i/445) 2>/dev/null &
	done; wait'
}
# connects NAME: to the victim's 445
connects() { in_ns "$1" timeout 2 bash -c ': </dev/tcp/10.0.0.2/445' 2>/dev/null; }
cut_off() { ctl quarantine list -j | jq -r '[.[].port] | join(" ")'; }
is_cut_off() { [ "$(cut_off)" = "$1" ]; }

note "addresses where nobody lives: pinged by one guest, tried by one that is exempt"
spawn_ns monitor bash -c 'for i in {100..160}; do ping -q -c 1 -W 1 10.0.0.$i & done; wait' >/dev/null
tries scanner
note "and then by one that is not"
tries worm
wait_for 20 is_cut_off worm
# told: alerts, one a line: of whom, what, whether that cut it off
told() {
	jq -r 'select(.event_type == "alert") | .metadata | "\(.culprit) \(.id) \(.quarantined)"' \
		"$RUN/eve.json"
}
is_told() { told | grep -qx "worm fan-out true"; }
wait_for 10 is_told
told | grep -v "^worm " && fail "somebody else is told of"

note "a guest that uses two servers is pinged from addresses where nobody lives"
for name in monitor scanner; do
	spawn_ns "$name" socat TCP4-LISTEN:445,reuseaddr,fork /dev/null
	wait_for 10 in_ns "$name" sh -c "ss -ltn | grep -q :445"
done
mac=$(in_ns victim cat /sys/class/net/net0/address)
# The stranger speaks for the addresses, and answers for none.
in_ns stranger sysctl -qw net.ipv4.conf.all.arp_ignore=8
ip -n "$(ns stranger)" neighbour replace 10.0.0.2 lladdr "$mac" dev net0
for i in {170..230}; do ip -n "$(ns stranger)" address add "10.0.0.$i/24" dev net0; done
spawn_ns stranger bash -c 'for i in {170..230}; do
	ping -q -c 1 -W 1 -I 10.0.0.$i 10.0.0.2 &
done; wait' >/dev/null
looked_up() { [ "$(ip -n "$(ns victim)" neighbour show | grep -c "FAILED\|INCOMPLETE")" -ge 30 ]; }
wait_for 10 looked_up
smb() { in_ns victim timeout 2 bash -c ": </dev/tcp/10.0.0.$1/445" 2>/dev/null; }
is_suspected() { smb 3 && smb 4 && told | grep -qx "victim fan-out null"; }
wait_for 20 is_suspected
is_cut_off worm || fail "cut off: $(ctl quarantine list)"

note "no SMB from it, and everything else"
spawn_ns victim socat TCP4-LISTEN:445,reuseaddr,fork /dev/null
wait_for 10 in_ns victim sh -c "ss -ltn | grep -q :445"
connects worm && fail "the worm still reaches 445"
connects monitor || fail "another guest does not reach 445"
connects scanner || fail "the exempt guest does not reach 445"
ping_ok worm 10.0.0.2

note "released it may again, and is not cut off for what it did before"
ctl quarantine release worm
connects worm || fail "released, the worm does not reach 445"
[ -z "$(cut_off)" ] || fail "cut off: $(ctl quarantine list)"

assert_ledger
switch_stop

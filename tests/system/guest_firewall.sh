#!/bin/bash
# The firewall between two real guests: a block and the removal of a rule cut sessions that run, opened
# from either side, in both families, while sessions on other ports go on with every byte; pings go by
# their rule; a guest that takes another MAC or address gets nothing through and is well again after
# it; it is no DHCP server for the others; and another tenant's network is out of reach.
# Catalogue of issue 3: integration 1.3 and 1.4, switches 2 D.
# Runs alone: guests in software emulation keep both cores busy.
. "$(dirname "$0")/guest.bash"

ns_quiet peer dhcp other far
switch_start <<END
firewall: {pick-up: 0}
networks:
  - {name: office, tenant: acme, $TYPES}
  - {name: lab, tenant: umbrella, $TYPES}
groups:
  - name: members
    tenant: acme
    rules:
      - {name: ping, direction: in, protocol: icmp, type: 8, remote: {group: members}, action: allow}
      - {name: ping6, direction: in, protocol: icmpv6, type: 128, remote: {group: members}, action: allow}
      - {name: cut, direction: in, protocol: tcp, ports: [7000, 7002], remote: {group: members}, action: allow}
      - {name: kept, direction: in, protocol: tcp, ports: [7001, 7003], remote: {group: members}, action: allow}
ports:
$(guest_yaml vm1 1 "" "groups: [members]")
$(guest_yaml vm2 2 "mode: server" "groups: [members]")
$(port_yaml peer office)
$(port_yaml dhcp office "trusted: true")
$(port_yaml other lab)
$(port_yaml far lab)
END
ip -n "$(ns peer)" address add 10.0.0.8/24 dev net0
ip -n "$(ns dhcp)" address add 10.0.0.9/24 dev net0
ip -n "$(ns other)" address add 10.0.0.3/24 dev net0
start vm1 client 1
start vm2 server 2
up vm1 vm2

change() { ctl "$@" >"$RUN/said" 2>&1 || fail "$*: $(cat "$RUN/said")"; }

# refused_as PORT REASON COMMAND...: COMMAND has PORT lose packets for that reason.
refused_as() {
	local port=$1 reason=$2 before
	before=$(drops_of "$1" "$2")
	shift 2
	"$@"
	[ "$(drops_of "$port" "$reason")" -gt "$before" ] || fail "$*: nothing of $port was $reason: $(ctl drops)"
}

guest_ping_fails() {
	guest_run "$1" "ping -q -c 2 -i 0.1 -W 1 $2" >"$RUN/said" 2>&1 && fail "$2 answers $1"
	guest_run "$1" true || fail "$1 is gone"
}

# A session is a netcat at each end that says a line every now and then, and keeps what it said and
# what it heard.
SESSION='i=0
while [ ! -e /tmp/TAG.stop ]; do
	i=$((i + 1)); echo "TAG $i of $(hostname)"; echo "TAG $i of $(hostname)" >>/tmp/TAG.sent; sleep 0.3
done
until [ -e /tmp/TAG.end ]; do sleep 0.3; done'
session_end() { # GUEST TAG NETCAT-ARGUMENTS
	guest_spawn "$1" "$2" "(${SESSION//TAG/$2}) | nc $3 >/tmp/$2.got" || fail "no session $2 in $1"
}
heard() { guest_run "$1" "wc -c </tmp/$2.got"; }
said() { guest_run "$1" "wc -c </tmp/$2.sent"; }
hears_more() { [ "$(heard "$1" "$2")" -gt "$3" ]; }

declare -A SERVER CLIENT
# session TAG SERVER CLIENT ADDRESS PORT
session() {
	SERVER[$1]=$2 CLIENT[$1]=$3
	session_end "$2" "$1" "-l -p $5"
	wait_for 20 guest_run "$2" "netstat -ltn | grep -q ':$5 '"
	session_end "$3" "$1" "$4 $5"
	goes_on "$1"
}

# goes_on TAG...: both ends hear more than they have heard.
goes_on() {
	local tag end
	for tag in "$@"; do
		for end in "${SERVER[$tag]}" "${CLIENT[$tag]}"; do
			wait_for 90 hears_more "$end" "$tag" "$(heard "$end" "$tag" || echo 0)"
		done
	done
}

refused_more() { [ "$(drops_of "$1" "$2")" -ge "$3" ]; }

cut_off() { echo $(($(drops_of "$1" blocked) + $(drops_of "$1" policy_revoked))); }
cut_off_more() { [ "$(cut_off "$1")" -ge "$2" ]; }
all_heard() {
	local tag
	for tag in "$@"; do heard "${SERVER[$tag]}" "$tag" && heard "${CLIENT[$tag]}" "$tag"; done
}

# is_cut TAG...: what both guests try again is refused, and they hear nothing while others do. Not for
# long: the longer, the more seldom they try again.
is_cut() {
	local vm before
	for vm in vm1 vm2; do wait_for 60 cut_off_more $vm $(($(cut_off $vm) + 1)); done
	before=$(all_heard "$@")
	goes_on "${KEPT[@]}"
	[ "$before" = "$(all_heard "$@")" ] || fail "sessions go on: $(ctl conn list; ctl drops)"
}

# is_whole TAG: ends a session; each end has heard what the other said, to the last byte.
is_whole() {
	local tag=$1 server=${SERVER[$1]} client=${CLIENT[$1]} vm from to
	for vm in $server $client; do in_guest "$vm" "touch /tmp/$tag.stop"; done
	for vm in $server:$client $client:$server; do
		from=${vm%:*} to=${vm#*:}
		wait_for 60 eval "[ \"\$(heard $to $tag)\" = \"\$(said $from $tag)\" ]"
		in_guest "$from" "md5sum </tmp/$tag.sent"
		mv "$RUN/said" "$RUN/sum"
		in_guest "$to" "md5sum </tmp/$tag.got"
		cmp -s "$RUN/said" "$RUN/sum" || fail "$to did not hear in $tag what $from said"
	done
	echo "   $tag: $(heard "$server" "$tag") and $(heard "$client" "$tag") bytes, whole"
	for vm in $server $client; do in_guest "$vm" "touch /tmp/$tag.end"; done
}

note "pings go by their rule, in each family"
guest_ping_ok vm1 10.0.0.2
guest_ping_ok vm2 fd00::1
ping_start vm1 10.0.0.2 0.2
change rule del members ping
refused_as vm2 policy_in guest_ping_fails vm2 10.0.0.1
wait_for 20 refused_more vm1 policy_revoked 3
answers=$(ping_log vm1 | grep -c seq=)
wait_for 20 refused_more vm1 policy_revoked $(($(drops_of vm1 policy_revoked) + 5))
[ "$(ping_log vm1 | grep -c seq=)" = "$answers" ] || fail "the ping that ran goes on without its rule"
guest_ping_ok vm2 fd00::1
ctl explain icmp/8 --from vm1 --to 10.0.0.2 >"$RUN/said" && fail "explain lets pings pass: $(cat "$RUN/said")"
change rule add members name=ping direction=in protocol=icmp type=8 remote.group=members action=allow --at 0
when=$(uptime_of vm1)
wait_for 20 answered vm1 "$when" 3
ping_stop vm1
guest_ping_ok vm2 10.0.0.1
change rule del members ping6
refused_as vm1 policy_in guest_ping_fails vm1 fd00::2
guest_ping_ok vm1 10.0.0.2

note "sessions, opened from both sides, in both families; a port without a rule"
session four vm2 vm1 10.0.0.2 7000
session back vm1 vm2 10.0.0.1 7000
session six vm2 vm1 fd00::2 7002
session kept vm2 vm1 10.0.0.2 7001
session kept6 vm1 vm2 fd00::1 7003
CUT=(four back six) KEPT=(kept kept6)
guest_spawn vm2 closed "nc -l -p 7009" >/dev/null
refused_as vm1 policy_in guest_run vm1 "timeout 2 nc 10.0.0.2 7009 </dev/null"

note "blocked: they are cut, at once and both ways; the others go on"
change block tcp/7000
change block tcp/7002 --comment "and IPv6"
is_cut "${CUT[@]}"
[ $(($(drops_of vm1 blocked) + $(drops_of vm2 blocked))) -gt 0 ] || fail "no drops named blocked: $(ctl drops)"
ctl explain tcp/7000 --from vm1 --to 10.0.0.2 >"$RUN/said" && fail "explain: $(cat "$RUN/said")"
grep -qi block "$RUN/said" || fail "explain names no block: $(cat "$RUN/said")"
change unblock tcp/7000
change unblock tcp/7002
goes_on "${CUT[@]}"

note "their rule is removed: cut again, until it is back"
change rule del members cut
is_cut "${CUT[@]}"
refused_as vm1 policy_in guest_run vm1 "timeout 2 nc 10.0.0.2 7000 </dev/null"
change rule add members name=cut direction=in protocol=tcp ports=7000,7002 remote.group=members action=allow
goes_on "${CUT[@]}"

note "and what was never forbidden has lost nothing"
for tag in "${KEPT[@]}" "${CUT[@]}"; do is_whole "$tag"; done

note "a guest with another MAC reaches nobody, and is well again with its own"
set_mac() {
	in_guest vm1 "ip link set eth0 down && ip link set eth0 address $1 && ip link set eth0 up &&
ip address replace 10.0.0.1/24 dev eth0 && ip address replace fd00::1/64 dev eth0"
}
watch peer
set_mac 02:00:00:00:00:77
refused_as vm1 spoof_mac guest_ping_fails vm1 10.0.0.2
refused_as vm1 spoof_mac guest_ping_fails vm1 fd00::2
watched dhcp peer
assert_seen peer 0 "020000000077"
set_mac 02:00:00:00:00:01
guest_ping_ok vm1 10.0.0.2
in_guest vm2 "ping -c 1 -W 5 10.0.0.1"

note "the same with another address, in each family"
watch peer
in_guest vm1 "ip address add 10.0.0.77/24 dev eth0 && ip address add fd00::77/64 dev eth0"
in_guest vm1 "ip neigh flush dev eth0"
refused_as vm1 spoof_arp guest_ping_fails vm1 "-I 10.0.0.77 10.0.0.2"
guest_ping_ok vm1 10.0.0.2 # so that it knows whom to send to
refused_as vm1 spoof_ipv4 guest_ping_fails vm1 "-I 10.0.0.77 10.0.0.2"
refused_as vm1 spoof_arp guest_run vm1 "arping -U -c 2 -I eth0 10.0.0.77" >/dev/null
change rule add members name=ping6 direction=in protocol=icmpv6 type=128 remote.group=members action=allow
guest_ping_ok vm1 "-I fd00::1 fd00::2"
refused_as vm1 spoof_ipv6 guest_ping_fails vm1 "-I fd00::77 fd00::2"
in_guest vm1 "ip neigh flush dev eth0"
refused_as vm1 spoof_ipv6 guest_ping_fails vm1 "-I fd00::77 fd00::2"
# It asks whether anybody has it already, as from nobody.
in_guest vm1 "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip address add fd00::78/64 dev eth0"
wait_for 10 refused_more vm1 spoof_nd 1
watched dhcp peer
assert_seen peer 0 0a00004d
in_guest vm1 "ip address del 10.0.0.77/24 dev eth0 && ip address del fd00::77/64 dev eth0 &&
ip address del fd00::78/64 dev eth0 && ip neigh flush dev eth0"
guest_ping_ok vm1 10.0.0.2
guest_ping_ok vm1 "-I fd00::1 fd00::2"
guest_ping_ok vm2 10.0.0.1

note "a guest's DHCP server serves nobody, though its rules let it be asked; the trusted port's does"
change rule add members direction=in protocol=udp ports=67 action=allow
lease() { guest_run vm2 "udhcpc -i eth0 -n -q -f -t 3 -T 1 -s /bin/true" 30; }
serves() { printf 'interface %s\nstart %s\nend %s\nlease_file %s\npidfile %s\n' "$@"; }
in_guest vm1 "touch /tmp/leases"
guest_spawn vm1 dhcp "printf '$(serves eth0 10.0.0.60 10.0.0.60 /tmp/leases /tmp/pid | sed 's/$/\\n/' | tr -d '\n')' >/tmp/dhcp.conf
udhcpd -f /tmp/dhcp.conf" started || fail "no DHCP server in vm1"
lease >"$RUN/said" && fail "vm2 takes an address of vm1: $(cat "$RUN/said")"
[ "$(drops_of vm1 rogue_dhcp)" -gt 0 ] || fail "no drops named rogue_dhcp: $(ctl drops)"
: >"$RUN/leases"
serves net0 10.0.0.2 10.0.0.2 "$RUN/leases" "$RUN/udhcpd-pid" >"$RUN/udhcpd.conf"
spawn_ns dhcp busybox udhcpd -f "$RUN/udhcpd.conf" >"$RUN/udhcpd.log" 2>&1
lease >"$RUN/said" || fail "vm2 gets no lease: $(cat "$RUN/said" "$RUN/udhcpd.log")"
sed 's/^/   /' "$RUN/said"

note "another tenant is out of reach, by the same address or any other"
watch other
guest_ping_fails vm1 10.0.0.3
in_guest vm1 "arp -s 10.0.0.3 $(in_ns other cat /sys/class/net/net0/address)"
guest_ping_fails vm1 10.0.0.3
watched far other
assert_seen other 0 "^.\{12\}020000000001"

assert_ledger
switch_stop

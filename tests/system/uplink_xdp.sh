#!/bin/bash
# Two hosts whose switches share the hosts' own interfaces (interface:), joined by cables: tenants go
# across by VLAN, without a tag and by VXLAN, and the hosts' own traffic on the same interfaces never
# meets a switch: before it starts, while it runs, after kill -9, and while the next one takes its place.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/samba.bash"

for tool in iperf3 tcpdump; do
	command -v "$tool" >/dev/null || skip "needs $tool"
done
declare -A NUMBER=([a]=1 [b]=2) CORE=([a]=0 [b]=$(($(nproc) - 1))) SWITCH=()
CONNECTIONS=16384
on() { SOCK=$RUN/$1.sock; }
# start HOST: its vswitchd, in the host's namespace.
start() {
	on "$1"
	BUFFERS=8192 spawn_ns "host$1" "$VSWITCH_BUILD/vswitchd" -c "$RUN/$1.yaml" >>"$RUN/vswitchd.log" 2>&1
	SWITCH[$1]=$SPAWNED
	wait_for 20 ctl status
	[ "$(ctl status -j | jq .revision)" -ge 1 ] || fail "configuration not applied: $(ctl status)"
}
host_yaml() { # HOST
	local n=${NUMBER[$1]}
	on "$1"
	vswitch_section "${CORE[$1]}" | sed "s|$RUN/state|$RUN/$1.state|; s|$RUN/eve|$RUN/$1|"
	cat <<-YAML
		networks:
		  - {name: red, vlan: 100}
		  - {name: plain}
		  - {name: green, vni: 7000, mtu: 1430}
		  - {name: idle, vlan: 300}
		ports:
		$(port_yaml "red$1" red "mac: \"02:00:00:00:00:0$n\", ips: [10.0.0.$n]")
		$(port_yaml "plain$1" plain "mac: \"02:00:00:00:01:0$n\", ips: [192.0.2.1$n]")
		$(port_yaml "green$1" green "mac: \"02:00:00:00:02:0$n\", ips: [10.0.0.$n]")
		uplinks:
		  - {name: up, interface: eth0, queues: 2, networks: [red], untagged: plain}
		  - name: tunnels
		    interface: eth1
		    networks: [idle]
		    vxlan: {local: 198.51.100.$n/24, peers: [{address: 198.51.100.$((3 - n))}]}
	YAML
}

for h in a b; do
	ns_add host$h
	for guest in red plain green; do ns_add $guest$h; done
done
for i in 0 1; do
	queues="numrxqueues $((2 - i)) numtxqueues $((2 - i))"
	ip link add "vt$$eth$i" $queues netns "$(ns hosta)" type veth \
		peer name eth$i $queues netns "$(ns hostb)" || skip "cannot make veth pairs"
	ip -n "$(ns hosta)" link set "vt$$eth$i" name eth$i
done
for h in a b; do
	ip -n "$(ns host$h)" link set eth0 up
	ip -n "$(ns host$h)" link set eth1 up
	ip -n "$(ns host$h)" address add 192.0.2.${NUMBER[$h]}/24 dev eth0
	ip -n "$(ns host$h)" address add 198.51.100.${NUMBER[$h]}/24 dev eth1
	host_yaml $h >"$RUN/$h.yaml"
	in_ns host$h ip -d -j link show eth0 | jq '.[0] | [.mtu, .promiscuity, .xdp]' >"$RUN/$h.before"
done
ping_ok hosta 192.0.2.2
# From here to the end no packet of the hosts' own is lost.
spawn_ns hosta ping -q -i 0.02 192.0.2.2 >"$RUN/host.ping" 2>&1
HOST_PING=$SPAWNED
# ready HOST: its uplinks are up, and know where their peers are.
ready() {
	on "$1"
	ctl port list -j | jq -e 'all(.[]; .state == "up") and length == 7' >/dev/null
}
# guests HOST: they get their addresses, once its uplinks are up.
guests() {
	local guest address
	wait_for 10 ready "$1"
	for guest in red plain green; do
		address=10.0.0.${NUMBER[$1]}
		[ $guest != plain ] || address=192.0.2.1${NUMBER[$1]}
		ip -n "$(ns "$guest$1")" address add "$address/24" dev net0
		ip -n "$(ns "$guest$1")" link set net0 up
	done
}
for h in a b; do start $h; done
for h in a b; do guests $h; done

note "tenants go across by VLAN and by VXLAN, the hosts' own traffic passes beside them"
ping_ok reda 10.0.0.2
ping_ok greena 10.0.0.2
ping_ok hosta 192.0.2.2
ping_ok hosta 198.51.100.2
spawn_ns redb iperf3 -s -1 >/dev/null
wait_for 10 in_ns redb sh -c "ss -ltn | grep -q :5201"
in_ns reda iperf3 -c 10.0.0.2 -P 4 -n 5M -J >"$RUN/iperf" || fail "iperf3: $(cat "$RUN/iperf")"
spawn_ns hostb iperf3 -s -1 >/dev/null
wait_for 10 in_ns hostb sh -c "ss -ltn | grep -q :5201"
in_ns hosta iperf3 -c 192.0.2.2 -n 20M -J >"$RUN/iperf" || fail "iperf3: $(cat "$RUN/iperf")"

note "what is without a tag reaches guests and hosts, broadcasts both"
spawn_ns hostb tcpdump -p -lnU -i eth0 arp >"$RUN/arp" 2>"$RUN/tcpdump"
wait_for 10 grep -q listening "$RUN/tcpdump"
ping_ok plaina 192.0.2.12
wait_for 10 grep -q "who-has 192.0.2.12 tell 192.0.2.11" "$RUN/arp"
ping_ok plaina 192.0.2.2
ping_ok hosta 192.0.2.12

note "port show: what it stands on and what became of each frame"
on a
port_field up.100 '.device | .driver + " " + .name + " " + (.queues | tostring)' | grep -qx "af_xdp eth0 2" ||
	fail "$(ctl port show up.100)"
ctl port show up.100 -j | jq -e '.link.speed_mbps > 0 and .xdp.id > 0 and (.xdp.mode | IN("native", "generic"))
	and .xdp.verdicts.to_switch_vlan > 0 and .xdp.verdicts.host > 0 and .xdp.maps.macs.used >= 1' >/dev/null ||
	fail "$(ctl port show up.100)"
ctl port show up.100 -j | jq -e '(.xdp.verdicts | .to_switch_vlan + .to_switch_mac) ==
	(.device | .rx_packets - .rx_groups + .kernel_drops.xsk_ring_full + .kernel_drops.xsk_no_chunk)' >/dev/null ||
	fail "frames for the switch are neither received nor lost: $(ctl port show up.100)"

note "a file across two switches by SMB"
samba_start redb
head -c $((8 << 20)) /dev/urandom >"$RUN/large"
smb reda 10.0.0.2 smb3 "put $RUN/large file; get file $RUN/fetched" || fail "$(cat "$SMB_SAYS")"
cmp "$RUN/large" "$RUN/fetched" || fail "the file came back another"

note "killed, it leaves its program, and the host all of its traffic; the next one replaces it"
program() { in_ns hosta ip -d -j link show eth0 | jq '.[0].xdp.prog.id'; }
stale=$(program)
kill -9 "${SWITCH[a]}"
wait "${SWITCH[a]}" 2>/dev/null
[ "$(program)" = "$stale" ] || fail "the program is gone with the switch"
ping_ok hosta 192.0.2.2
start a
guests a
[ "$(program)" != "$stale" ] || fail "the stale program is still there"
wait_for 10 in_ns reda ping -q -c 1 -W 1 10.0.0.2
wait_for 10 in_ns greena ping -q -c 1 -W 1 10.0.0.2

note "an idle worker sleeps, and a frame wakes it"
sleeps() { ctl worker stats -j | jq '[.[].sleeps] | add'; }
before=$(sleeps)
wait_for 10 eval '[ "$(sleeps)" -gt "$before" ]'
ping_ok reda 10.0.0.2

note "ended, it leaves the interfaces as they were"
for h in a b; do
	on $h
	assert_ledger
	kill "${SWITCH[$h]}"
	wait "${SWITCH[$h]}" || fail "vswitchd ended with $? on SIGTERM"
	in_ns host$h ip -d -j link show eth0 | jq '.[0] | [.mtu, .promiscuity, .xdp]' | diff - "$RUN/$h.before" ||
		fail "eth0 of host $h is another than before"
done
kill -INT "$HOST_PING"
wait "$HOST_PING" 2>/dev/null
grep -q " 0% packet loss" "$RUN/host.ping" || fail "the hosts' own: $(cat "$RUN/host.ping")"
exit 0

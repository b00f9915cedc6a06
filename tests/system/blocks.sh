#!/bin/bash
# Emergency blocks: by service, ends, tenant, port and direction, above rules, trust and audit mode;
# they cut live connections, end by command or by time, and outlive restarts and `config apply`. A
# file of blocks that cannot be read keeps all traffic off.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

A=$(mac_of 1) B=$(mac_of 2) C=$(mac_of 3)
ns_quiet a b c x y
{
	vswitch_section
	cat <<-END
		firewall: {pick-up: 0}
		networks:
		  - {name: office, tenant: acme, $TYPES}
		  - {name: lab, tenant: other, $TYPES}
		tenants: [{name: other, audit: true}]
		sets:
		  - {name: admins, tenant: acme, addresses: [10.0.0.3, 'fd00::3']}
		groups:
		  - name: open
		    tenant: acme
		    rules:
		      - {direction: in, protocol: any, action: allow}
		      - {direction: out, protocol: any, action: allow}
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1, 'fd00::1'], groups: [open]")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2, 'fd00::2'], groups: [open]")
		$(port_yaml c office "mac: 02:00:00:00:00:03, ips: [10.0.0.3, 'fd00::3'], trusted: true")
		$(port_yaml x lab "mac: 02:00:00:00:00:01, ips: [10.0.0.1]")
		$(port_yaml y lab "mac: 02:00:00:00:00:02, ips: [10.0.0.2]")
	END
} >"$RUN/vswitch.yaml"
switch_spawn
for i in a:1 b:2 c:3 x:1 y:2; do ns_addresses ${i%:*} 10.0.0.${i#*:}/24; done
next=10000

declare -A MAC=([a]=$A [b]=$B [c]=$C [x]=$A [y]=$B) IP=([a]=10.0.0.1 [b]=10.0.0.2 [c]=10.0.0.3 [x]=10.0.0.1 [y]=10.0.0.2)
arrived() { grep -q "^$2" "$RUN/watch.$1"; }
drops_more() { [ "$(drops_of "$1" "$2")" -ge "$3" ]; }
# is open|shut FROM TO [PORT [FRAME]]: whether UDP to the port passes, as TO's interface sees it.
is() {
	local frame before=0 what="$2 to $3, port ${4:-445}"
	next=$((next + 1))
	frame=${5:-$(udp "${MAC[$3]}" "${MAC[$2]}" "${IP[$2]}" "${IP[$3]}" $next "${4:-445}")}
	[ "$1" = open ] || before=$(drops_of "$2" blocked)
	send "$2" "$frame"
	case $1 in
	open) wait_for 5 arrived "$3" "$frame" ;;
	shut)
		wait_for 5 drops_more "$2" blocked $((before + 1))
		! arrived "$3" "$frame" || fail "$what: came through the block"
		;;
	esac
}
block() { ctl block "$@" >/dev/null || fail "block $*"; }
unblock() { ctl unblock "$@" >/dev/null || fail "unblock $*"; }
watch_all() {
	watch a b c x y
	WATCHING=("${WATCHERS[@]}")
}
watch_end() {
	kill "${WATCHING[@]}"
	wait "${WATCHING[@]}"
} 2>/dev/null
is_up() { [ "$(port_field "$1" .state)" = up ]; }
start_again() {
	switch_spawn
	for port in a b c x y; do wait_for 10 is_up $port; done
	watch_all
}
watch_all

note "a service is shut for everybody: also where rules allow it, for trusted ports and in audit mode"
is open a b
block udp/440-450
is shut a b
is shut b a 440
is shut c b 450
is shut a c
is shut x y
is open a b 451
is open a b 439
is shut a b 445 "$(udp "$B" "$A" fd00::1 fd00::2 9 445)"
is open a b 445 "$(tcp "$B" "$A" 10.0.0.1 10.0.0.2 9 445)"
[ "$(ctl block list -j | jq -r '.[0].service')" = udp/440-450 ] || fail "$(ctl block list)"
jq -se 'any(.[]; .event_type == "block" and .metadata.action == "added")' "$RUN/eve.json" >/dev/null || fail "no event of the block"
wait_for 5 jq -se 'any(.[]; .event_type == "drop" and .drop.reason == "blocked" and .metadata.by == "block")' "$RUN/eve.json"
unblock udp/440-450
is open a b
is open x y

note "by ends, tenant, port and direction"
block udp/445 from 10.0.0.1 to 10.0.0.2
is shut a b
is open c b
is open b a
unblock all
block udp/445 from admins
is shut c b
is open a b
is open x y
unblock all
block udp/445 to admins
is shut a c
is open a b
unblock all
block udp/445 --tenant acme
is shut a b
is open x y
unblock all
block udp/445 --port b
is shut a b
is shut b c
is open a c
unblock all
block udp/445 --port b --in
is shut a b
is open b a
unblock all
block udp/445 --port b --out
is open a b
is shut b a
unblock all
block any --port b
is shut a b 1
is shut b c 2
is open a c
is shut a b 0 "$(icmp "$B" "$A" 10.0.0.1 10.0.0.2 8 0)"
is shut a b 0 "$(ipv4 "$B" "$A" 10.0.0.1 10.0.0.2 47 00000800)"
unblock all
refused block udp/445 --port nobody
refused block udp/445 from nobody

note "live connections are cut in both directions, others go on, and come back with the end of it"
cat >"$RUN/both" <<'END'
#!/bin/bash
while echo line 2>/dev/null; do sleep 0.02; done &
cat >"$1"
END
chmod +x "$RUN/both"
lines() { wc -l <"$RUN/$1"; }
grown() { [ "$(lines "$1")" -ge "$2" ]; }
goes_on() {
	local file
	for file in "$@"; do wait_for 20 grown "$file" $(($(lines "$file") + 10)); done
}
for n in 1 2; do
	spawn_ns b socat "TCP-LISTEN:500$n,reuseaddr" EXEC:"$RUN/both $RUN/b$n"
	wait_for 5 eval "in_ns b ss -ltn | grep -q ':500$n '"
	spawn_ns a socat "TCP:10.0.0.2:500$n" EXEC:"$RUN/both $RUN/a$n"
done
wait_for 10 test -e "$RUN/b1" -a -e "$RUN/b2" -a -e "$RUN/a1" -a -e "$RUN/a2"
goes_on a1 b1 a2 b2
dropped() { drops_of "$1" blocked; }
before_a=$(dropped a) before_b=$(dropped b)
cut() { [ "$(dropped a)" -ge $((before_a + 3)) ] && [ "$(dropped b)" -ge $((before_b + 3)) ]; }
block tcp/5001
got_a=$(lines a1) got_b=$(lines b1)
wait_for 20 cut
[ "$(lines a1)" -le $((got_a + 2)) ] && [ "$(lines b1)" -le $((got_b + 2)) ] ||
	fail "lines came through the block: $got_a, $got_b; now $(lines a1), $(lines b1)"
goes_on a2 b2
unblock tcp/5001
goes_on a1 b1 a2 b2

note "for a time"
block udp/445 --for 2s
is shut a b
no_blocks() { [ "$(ctl block list -j | jq length)" = 0 ]; }
wait_for 10 no_blocks
is open a b

note "over restarts, kill -9 and config apply"
block udp/445 --comment worm
block udp/446 --for 1h
ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "config apply"
is shut a b
sed 's/connections: .*//; s/name: admins/name: operators/' "$RUN/vswitch.yaml" >"$RUN/other.yaml"
ctl config apply "$RUN/other.yaml" >/dev/null || fail "config apply"
is shut a b
list=$(ctl block list -j)
watch_end
switch_kill
start_again
[ "$(ctl block list -j)" = "$list" ] || fail "the blocks changed over kill -9: $list, now $(ctl block list -j)"
is shut a b
is shut a b 446
is open a b 447
watch_end
switch_stop
start_again
is shut a b
unblock tcp/445
is shut a b
unblock all
is open a b

note "a file of blocks that cannot be read: nothing passes, and everything says why"
block udp/445
watch_end
switch_stop
sed -i 's/"service"/"servicf"/; s/udp/upd/g' "$RUN/state/blocks.json"
switch_spawn
ctl status >"$RUN/status"
grep -q "blocks.json" "$RUN/status" || fail "status does not say what is wrong: $(cat "$RUN/status")"
refused block list
grep -q "blocks.json" "$RUN/refused" || fail "block list says: $(cat "$RUN/refused")"
refused unblock all
refused block udp/446
refused config apply "$RUN/vswitch.yaml"
[ "$(ctl port list -j | jq length)" = 0 ] && [ "$(ctl status -j | jq .revision)" = 0 ] ||
	fail "ports are up without blocks being known: $(ctl port list)"
! ip -n "$(ns a)" link show net0 >/dev/null 2>&1 || fail "a has an interface without blocks being known"
switch_stop
grep -q "blocks.json" "$RUN/vswitchd.log" || fail "the log does not say what is wrong"
rm "$RUN/state/blocks.json"
start_again
is open a b

assert_ledger
switch_stop

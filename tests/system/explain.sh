#!/bin/bash
# vswitch-ctl explain: in words and as JSON, from the running switch and from a file, and what it
# says is what happens to real packets, and counts. Replies with -j where there is nobody to reply.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/packets.bash"

# expect STATUS COMMAND...: its exit status; its output is in $OUT, its errors in $ERR.
expect() {
	local status=$1 got
	shift
	OUT=$("$@" 2>"$RUN/stderr")
	got=$?
	ERR=$(cat "$RUN/stderr")
	[ "$got" = "$status" ] || fail "$*: exit status $got, not $status: $OUT $ERR"
}
says() { [[ "$OUT$ERR" == *"$1"* ]] || fail "\"$OUT$ERR\" does not say \"$1\""; }
json() { jq -e "$1" >/dev/null <<<"$OUT" || fail "not $1: $OUT"; }

note "nobody to ask: an error is JSON, too"
expect 4 ctl -j status
json '.ok == false and .code == "unreachable" and (.error | test("is it running"))'
says "is it running?"
expect 2 ctl stauts -j
json '.ok == false and .code == "usage" and (.error | test("near it: status"))'
expect 2 ctl -x -j
json '.ok == false and .code == "usage" and (.error | test("-x is no option"))'
expect 2 ctl --timeout 0 -j status
json '.code == "usage" and (.error | test("needs a time"))'
expect 2 ctl port show -j
json '.code == "usage" and (.error | test("needs NAME"))'
expect 2 ctl -j
json '.code == "usage" and (.error | test("command is missing"))'
expect 2 ctl -j $'caf\xe9'
json '.code == "usage"'
expect 2 ctl stauts
[ -z "$OUT" ] || fail "without -j standard output has: $OUT"

A=020000000001 B=020000000002
ns_quiet a b c
switch_start <<END
firewall: {pick-up: 0}
networks: [{name: office, tenant: acme, $TYPES}]
groups:
  - name: server
    tenant: acme
    rules:
      - {name: smb, direction: in, protocol: tcp, ports: 445, action: allow}
      - {direction: in, protocol: icmp, type: 8, action: allow}
ports:
$(port_yaml a office "mac: \"02:00:00:00:00:01\", ips: [10.0.0.1], default-in: deny")
$(port_yaml b office "mac: \"02:00:00:00:00:02\", ips: [10.0.0.2], groups: [server]")
$(port_yaml c office "mac: \"02:00:00:00:00:03\", ips: [10.0.0.3], default-in: deny")
END
for i in a:1 b:2 c:3; do
	ip -n "$(ns "${i%:*}")" link set net0 address "02:00:00:00:00:0${i#*:}"
	ns_addresses "${i%:*}" "10.0.0.${i#*:}/24"
done

note "as the issue has it, and in words"
expect 0 ctl explain --from a --to 10.0.0.2 tcp/445
says "rule 0 (smb) of group server of port b says allow"
says "no connection exists"
says "it passes to port b"
expect 1 ctl explain tcp/22 --from a --to b
says "no rule of port b says anything: default-in is deny"
says "it is dropped and counted as policy_in"
expect 1 ctl explain icmp --from a --to c
expect 3 ctl explain icmp --from nobody --to c
says "port nobody does not exist"

note "as JSON"
expect 0 ctl -j explain --from a --to 10.0.0.2 tcp/445
json '.verdict == "pass" and .reason == null and .to == "b" and (has("text") | not)'
json '.packet | .from == "a" and .source == "10.0.0.1" and .destination_port == 445'
json '.steps | map(.step) == ["guard", "destination", "connection", "out", "in", "verdict"]'
json '.steps[] | select(.step == "in") | .group == "server" and .rule == 0 and .rule_text.ports == [445]'
expect 1 ctl -j explain tcp/22 --from a --to b
json '.verdict == "drop" and .reason == "policy_in"'
expect 3 ctl -j explain tcp --from a --to 10.0.0.77
json '.ok == false and .code == "refused" and (.error | test("no other port"))'

note "of a file"
sed 's/ports: 445, action: allow/ports: 445, action: reject/' "$RUN/vswitch.yaml" >"$RUN/other.yaml"
expect 1 ctl -j explain tcp/445 --from a --to b --config "$RUN/other.yaml"
json '.verdict == "reject" and .reason == "policy_in"'
expect 0 "$VSWITCH_BUILD/vswitch-ctl" -s "$RUN/none" explain icmp --from a --to b --config "$RUN/vswitch.yaml"
echo "ports: 7" >"$RUN/broken.yaml"
expect 3 ctl -j explain icmp --from a --to b --config "$RUN/broken.yaml"
json '.ok == false and .errors[0].field == "ports"'

note "what it says of real traffic is what happens"
ping_ok a 10.0.0.2
expect 0 ctl -j explain icmp --from a --to b
json '.steps[] | select(.step == "connection") | .verdict == "known" and .connection.from == "a"'
ping_fails a 10.0.0.3
[ "$(drops_of a policy_in)" -ge 2 ] || fail "a ping that explain denies is not dropped: $(ctl drops a)"

note "frames given in hex, sent as they are"
# The same segment as an ACK; its checksum is no matter to a switch.
ack() {
	local syn
	syn=$(tcp "$@")
	echo "${syn/5002ffff/5010ffff}"
}
expect_frame() { # PORT VERDICT REASON NAME FRAME
	expect "$([ "$2" = pass ] && echo 0 || echo 1)" ctl -j explain --from "$1" --packet "$5"
	json ".verdict == \"$2\" and .reason == $([ "$2" = pass ] && echo null || echo "\"$3\"")"
	if [ "$2" = pass ]; then passes "$4" "$5"; else drops "$3" "$4" "$5"; fi
}
expect_frame a drop tcp_no_connection "an ACK" "$(ack $B $A 10.0.0.1 10.0.0.2 40000 445)"
expect_frame a drop policy_in "a SYN to 22" "$(tcp $B $A 10.0.0.1 10.0.0.2 40000 22)"
expect_frame a drop spoof_ipv4 "of another" "$(tcp $B $A 10.0.0.9 10.0.0.2 40000 445)"
expect_frame a drop spoof_mac "of another MAC" "$(tcp $B 020000000009 10.0.0.1 10.0.0.2 40000 445)"
expect_frame a drop icmp_unrelated "an answer" "$(icmp $B $A 10.0.0.1 10.0.0.2 0 0)"
expect_frame a drop spoof_arp "ARP of another" "$(arp $B $A 2 $A 10.0.0.9 $B 10.0.0.2)"
expect_frame a drop ethertype "a type of no list" "$(frame $B $A 88b7)"
expect_frame a drop hairpin "to itself" "$(udp $A $A 10.0.0.1 10.0.0.2 9 9)"
expect_frame a drop reserved_multicast "LLDP" "$(frame 0180c200000e $A 0806)"
expect_frame a pass "" "a SYN to 445" "$(tcp $B $A 10.0.0.1 10.0.0.2 40000 445)"
probe a b

note "a connection, and a block that cuts it"
spawn_ns b socat -u TCP-LISTEN:445,reuseaddr "OPEN:$RUN/out,creat"
listens() { in_ns b ss -Htln "sport = :445" | grep -q .; }
wait_for 10 listens
spawn_ns a bash -c 'exec 3<>/dev/tcp/10.0.0.2/445 && echo hello >&3 && sleep 60'
wait_for 10 grep -q hello "$RUN/out"
SPORT=$(ctl -j conn list --service tcp/445 --state established | jq '.connections[0].from_port')
segment=$(ack $B $A 10.0.0.1 10.0.0.2 "$SPORT" 445)
expect 0 ctl -j explain --from a --packet "$segment"
json '.steps[] | select(.step == "connection") | .verdict == "known" and .connection.state == "established"'
quoted=00000000${segment:28:56} # from the IP header to the ports and the sequence number
expect 0 ctl -j explain --from b --packet "$(icmp $A $B 10.0.0.2 10.0.0.1 3 3 "$quoted")"
json '.packet.quotes.destination_port == 445'
json '.steps[] | select(.step == "connection") | .verdict == "related"'
expect 1 ctl -j explain --from b --packet "$(icmp $A $B 10.0.0.2 10.0.0.1 3 3 "${quoted/01bd/01be}")"
json '.reason == "icmp_unrelated"'
ctl block tcp/445 >/dev/null
expect 1 ctl -j explain tcp/445 --from a --to b
json '.reason == "blocked" and (.steps[] | select(.step == "out") | .block > 0)'
expect 1 ctl -j explain --from a --packet "$segment"
json '.reason == "blocked"'
passes_not=$(drops_of a blocked)
send a "$segment"
more_blocked() { [ "$(drops_of a blocked)" -gt "$passes_not" ]; }
wait_for 10 more_blocked
ctl unblock tcp/445 >/dev/null
expect 0 ctl explain tcp/445 --from a --to b

note "help, manual page and completion"
expect 0 ctl help explain
says "usage: vswitch-ctl explain [SERVICE] [--from FROM]"
says "For example: explain --from vm1 --to 10.0.0.2 tcp/445"
expect 0 "$VSWITCH_BUILD/vswitch-ctl" --complete -s "$SOCK" explain --
[ "$(tr '\n' ' ' <<<"$OUT")" = "--from --to --from-address --source-port --packet --config " ] ||
	fail "completion: $OUT"
expect 0 ctl help --man
says "vswitch\\-ctl explain \\-\\-from vm1 \\-\\-to 10.0.0.2 tcp/445"
expect 0 "$VSWITCH_BUILD/vswitch-ctl" --complete -s "$SOCK" explain --from ""
[ "$OUT" = "$(printf 'a\nb\nc')" ] || fail "completion: $OUT"

assert_ledger
switch_stop

#!/bin/bash
# Inspection in mode prevent between real kernels: SMB messages with harmless markers over real TCP.
# A marked one does not arrive and both ends are reset; its sender is cut off from SMB and from
# nothing else, with events, evidence and the hook, over a restart, until it is released or its time
# is over. Others' transfers go on. Rules change under traffic, and refused ones change nothing; with
# none after a restart all but SMB goes on.
. "$(dirname "$0")/lib.bash"

MARKER=harmless-marker-one CULPRIT=harmless-culprit-two LATER=harmless-marker-three
mkdir "$RUN/rules"
rule() { echo "drop smb any any -> any 445 (msg:\"$1\"; content:\"$1\"; $2 sid:$3;)"; }
rule $MARKER "" 1 >"$RUN/rules/test.rules"
rule $CULPRIT "metadata:vswitch_action quarantine; target:dest_ip;" 2 >>"$RUN/rules/test.rules"
cat >"$RUN/hook" <<END
#!/bin/sh
exec cat >>$RUN/hooked
END
chmod +x "$RUN/hook"

for name in a b c d; do ns_add $name; done
{
	vswitch_section
	cat <<-END
		  rules: $RUN/rules
		  hook: $RUN/hook
		  inspected: 256
		  inspection-memory: 16
		networks: [{name: office, tenant: acme}]
		ports:
		$(for name in a b c d; do port_yaml $name office; done)
		inspection:
		  - tenant: acme
		    mode: prevent
		    rules: [test.rules]
		    quarantine: {level: service, for: 1h}
		    fan-out: {enabled: no}
	END
} >"$RUN/vswitch.yaml"
rules() { ctl rules status -j | jq -r "$1"; }
ready() { [ "$(rules '.tenants[0].state')" = ready ]; }
start() {
	switch_spawn
	wait_for 20 "${1:-ready}"
	n=1
	for name in a b c d; do
		ip -n "$(ns $name)" address replace 10.0.0.$n/24 dev net0
		ip -n "$(ns $name)" link set net0 up
		n=$((n + 1))
	done
}
start

# record TEXT: an SMB1 ECHO request in a NetBIOS record (MS-CIFS 2.2.4.39).
record() {
	local n=${#1} be le
	printf -v be '\\x%02x\\x%02x' $(((37 + n) >> 8)) $(((37 + n) & 255))
	printf -v le '\\x%02x\\x%02x' $((n & 255)) $((n >> 8))
	printf '%b' "\\x00\\x00$be\\xffSMB\\x2b\\0\\0\\0\\0\\x18\\0\\x40" '\0\0\0\0\0\0\0\0\0\0\0\0' \
		'\x07\0\x34\x12\0\0\x01\0' "\\x01\\x01\\0$le" "$1"
}
# listen NAME PORT FILE: what is sent there goes into the file.
listen() {
	spawn_ns "$1" socat -d -u "TCP-LISTEN:$2,fork,reuseaddr" "OPEN:$3,creat,append" 2>>"$RUN/listen.$1.$2"
	wait_for 5 eval "in_ns $1 ss -ltn | grep -q ':$2 '"
}
listen b 445 "$RUN/got"
listen b 2222 "$RUN/other"
listen d 5001 "$RUN/copy"
got() { grep -aqF "$1" "$RUN/got"; }
# says NAME FILE: sends it to the server's SMB and waits for the end; fails where that is a reset.
says() { in_ns "$1" timeout 10 bash -c 'exec 3<>/dev/tcp/10.0.0.2/445 && cat "$1" >&3 && cat <&3' says "$2" >"$RUN/said" 2>&1; }
# passes NAME TEXT: a message with it arrives.
passes() {
	record "$2" >"$RUN/passes"
	in_ns "$1" socat -u -T 5 "OPEN:$RUN/passes" TCP:10.0.0.2:445,connect-timeout=5 || fail "$1 cannot send"
	wait_for 5 got "$2"
}
# is_shut NAME: it reaches no SMB.
is_shut() {
	! in_ns "$1" timeout 1 bash -c ': </dev/tcp/10.0.0.2/445' 2>/dev/null || fail "$1 reaches SMB"
}
# stopped NAME TEXT: a message with it does not arrive, and both ends hear of it.
stopped() {
	local before
	before=$(grep -c "reset by peer" "$RUN/listen.b.445")
	{ record "before"; record "$2"; } >"$RUN/message"
	! says "$1" "$RUN/message" || fail "$2 was sent"
	grep -q "reset by peer" "$RUN/said" || fail "the sender got no reset: $(cat "$RUN/said")"
	was_reset() { [ "$(grep -c "reset by peer" "$RUN/listen.b.445")" -gt "$before" ]; }
	wait_for 5 was_reset
	! got "$2" || fail "$2 has arrived"
}
cut_off() { ctl quarantine list -j | jq -c '[.[] | [.port, .level]]'; }
is_cut_off() { [ "$(cut_off)" = "$1" ]; }
event() { jq -se "any(.[]; $1)" "${2:-$RUN/eve.json}"; }

note "a message passes; with a marker it is stopped, its connection reset at both ends, and that is all"
passes a "hello from a"
stopped a $MARKER
wait_for 5 event '.event_type == "alert" and .alert.signature_id == 1 and .alert.action == "blocked"'
is_cut_off '[]' || fail "cut off: $(cut_off)"
passes a "hello again"

note "one that quarantines, while another guest's transfer goes on"
head -c $((40 << 20)) /dev/urandom >"$RUN/large"
spawn_ns c socat -u "OPEN:$RUN/large" TCP:10.0.0.4:5001
transfer=$SPAWNED
stopped a $CULPRIT
wait_for 5 is_cut_off '[["a","service"]]'
is_shut a
ping_ok a 10.0.0.2
ping_ok b 10.0.0.1
echo "like ssh" | in_ns a socat -u - TCP:10.0.0.2:2222 || fail "a reaches nothing else"
wait_for 5 grep -q "like ssh" "$RUN/other"
passes c "hello from c"
wait "$transfer" || fail "the transfer broke off"
is_copied() { cmp -s "$RUN/large" "$RUN/copy"; }
wait_for 10 is_copied

note "it is told of: list, events, evidence, hook"
ctl quarantine show a >"$RUN/shown" || fail "quarantine show"
grep -q "1:2" "$RUN/shown" || fail "no rule in: $(cat "$RUN/shown")"
wait_for 5 event '.event_type == "quarantine"' "$RUN/quarantine.json"
event '.event_type == "alert" and .alert.signature_id == 2' >/dev/null || fail "no alert"
pcap=$(find "$RUN/state/evidence" -name '*.pcapng' | head -n 1)
[ -n "$pcap" ] || fail "no evidence: $(ls -R "$RUN/state")"
tcpdump -r "$pcap" -nn -A 2>"$RUN/errors" | grep -q "10.0.0.1.*10.0.0.2.445" || fail "evidence: $(cat "$RUN/errors")"
grep -aqF "$CULPRIT" "$pcap" || fail "the evidence lacks what gave it away"
is_hooked() { jq -e '.port == "a" and .tenant == "acme"' "$RUN/hooked"; }
wait_for 5 is_hooked

note "it lasts over a restart, until it is released"
switch_stop
start
is_cut_off '[["a","service"]]' || fail "after the restart: $(cut_off)"
ping_ok a 10.0.0.2
is_shut a
ctl quarantine release a >"$RUN/said" || fail "release"
passes a "hello after release"

note "by command: for a time, and from everything"
ctl quarantine add a --for 2s >"$RUN/said" || fail "add"
is_shut a
wait_for 10 is_cut_off '[]'
passes a "hello after its time"
ctl quarantine add a --level port --reason "system test" >"$RUN/said" || fail "add"
is_cut_off '[["a","port"]]' || fail "$(cut_off)"
ping_fails a 10.0.0.2
is_shut a
ping_ok c 10.0.0.2
ctl quarantine release --all >"$RUN/said" || fail "release --all"
ping_ok a 10.0.0.2

note "rules change under traffic: nothing is lost, the new marker is stopped, the old one is not"
flood() {
	local i
	for i in $(seq 300); do
		record "message $i of many"
		[ $((i % 10)) != 0 ] || sleep 0.01
	done
}
flood | in_ns c socat -u - TCP:10.0.0.2:445 &
flood=$!
PIDS+=("$flood")
wait_for 5 got "message 20 of many"
dropped=$(ctl drops -j)
rule $LATER "" 3 >"$RUN/rules/test.rules"
ctl rules reload >"$RUN/reload" || fail "reload: $(cat "$RUN/reload")"
wait "$flood" || fail "the traffic broke off"
wait_for 5 got "message 300 of many"
[ "$(grep -ao 'message [0-9]* of many' "$RUN/got" | sort -u | wc -l)" = 300 ] || fail "messages are missing"
[ "$(ctl drops -j)" = "$dropped" ] || fail "dropped: $(ctl drops -j), before: $dropped"
stopped c $LATER
passes c "$MARKER"

note "a broken file is refused, and changes nothing"
revision=$(rules .revision)
echo 'drop smb any any -> any any (msg:"bad"; nonsense:1; sid:9;)' >>"$RUN/rules/test.rules"
refused rules reload
grep -q "test.rules:2: .*sid 9" "$RUN/refused" || fail "not named: $(cat "$RUN/refused")"
[ "$(rules .revision)" = "$revision" ] || fail "the revision changed"
stopped c $LATER

# restarts_without FILE: the rules are FILE, which is none.
is_failed() { [ "$(rules '.tenants[0].state')" = failed ]; }
restarts_without() {
	switch_stop
	rm -f "$RUN/rules/test.rules"
	[ ! -e "$1" ] || mv "$1" "$RUN/rules/test.rules"
	start is_failed
	ping_ok c 10.0.0.2
	echo "with $1" | in_ns c socat -u - TCP:10.0.0.2:2222 || fail "c reaches nothing at all"
	wait_for 5 grep -q "with $1" "$RUN/other"
	ctl status -j | jq -e '.rules.problem | contains("test.rules")' >"$RUN/said" || fail "$(ctl status)"
	record "hello $1" >"$RUN/message"
	! says c "$RUN/message" || fail "a message passes without rules"
	! got "hello $1" || fail "a message has passed without rules"
}
note "a restart with its file gone, broken, or a FIFO: no SMB and all else, until it is mended and reloaded"
mv "$RUN/rules/test.rules" "$RUN/broken.rules"
mkfifo "$RUN/fifo.rules"
for file in gone broken fifo; do
	restarts_without "$RUN/$file.rules"
	refused rules reload
	grep -q test.rules "$RUN/refused" || fail "not named: $(cat "$RUN/refused")"
done
status=0
timeout 10 "$VSWITCH_BUILD/vswitch-ctl" rules check "$RUN/rules/test.rules" >"$RUN/said" 2>&1 || status=$?
[ "$status" = 2 ] || fail "rules check of a FIFO: exit $status: $(cat "$RUN/said")"
rm "$RUN/rules/test.rules"
rule $LATER "" 3 >"$RUN/rules/test.rules"
ctl rules reload >"$RUN/reload" || fail "reload: $(cat "$RUN/reload")"
ready || fail "not ready: $(ctl rules status)"
ctl status -j | jq -e '.rules.problem == null' >"$RUN/said" || fail "$(ctl status)"
passes c "hello after the reload"
stopped c $LATER

note "another change that names a file that is none is refused, and changes nothing"
sed "s#test.rules#gone.rules#" "$RUN/vswitch.yaml" >"$RUN/gone.yaml"
refused config apply "$RUN/gone.yaml"
grep -q gone.rules "$RUN/refused" || fail "not named: $(cat "$RUN/refused")"
stopped c $LATER

assert_ledger
switch_stop

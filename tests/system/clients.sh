#!/bin/bash
# Clients of the control socket that are up to no good: garbage, endless lines, half lines, far too
# many connections, requests whose answers nobody reads. Packets flow on meanwhile, none is lost;
# who comes next is served; nothing is kept. Who may not use the socket can't. The metrics say the
# same as the ledger.
# Catalogue: 73 (asking does not hold packets up), 76 (the API is not open), and issue item 6.
. "$(dirname "$0")/lib.bash"

CLIENTS=$VSWITCH_BUILD/tests/tools/clients
ns_quiet a b
cat >"$RUN/ports.yaml" <<END
networks: [{name: office}]
ports:
$(port_yaml a office)
$(port_yaml b office)
END
chmod 711 "$RUN" # for those who are not root, see below
{
	vswitch_section
	echo "  control-access: {owner: root, group: nogroup, mode: \"0620\"}"
	cat "$RUN/ports.yaml"
} >"$RUN/vswitch.yaml"
switch_spawn
ip -n "$(ns a)" address add 10.0.0.1/24 dev net0
ip -n "$(ns b)" address add 10.0.0.2/24 dev net0
ping_ok a 10.0.0.2
descriptors() { find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l; }
resident() { awk '/^VmRSS:/ { print $2 }' "/proc/$SWITCH_PID/status"; }
fds=$(descriptors) memory=$(resident)
spawn_ns a ping -i 0.005 -q 10.0.0.2 >"$RUN/flow"
flow=$SPAWNED

# answer: what is said to standard input, sent as it is.
answer() { timeout 20 socat -t 5 - "UNIX-CONNECT:$SOCK" 2>/dev/null; }
# Every line of the answer is an object that says no.
all_refused() {
	jq -es 'length > 0 and all(.ok == false and (.error | length > 0))' >/dev/null
}

note "what is no request is refused, and the connection goes on"
for text in '' '{' '[]' '"x"' '{"command":7}' '{"command":"port show"}' '{"command":"reboot"}' \
	'{"command":"status","command":"status"}' '{"command":"status","api":99}' \
	'{"command":"port show","args":{"name":"a","name2":1}}' '{"command":"port show","args":[]}' \
	'{"command":"config check","args":{"file":{"name":"x","text":"y"}}}' $'\xff\xfe' \
	'{"command":"worker move port","args":{"port":"a","queue":-1,"core":1e99}}'; do
	printf '%s\n{"command":"status"}\n' "$text" | answer >"$RUN/answers"
	head -n 1 "$RUN/answers" | all_refused || fail "'$text' is answered: $(cat "$RUN/answers")"
	tail -n 1 "$RUN/answers" | jq -e '.ok and .result.revision == 1' >/dev/null ||
		fail "behind '$text' nothing is answered: $(cat "$RUN/answers")"
done
# The end of the input is the end of a line too.
printf '{"command":"status"}' | answer | jq -e .ok >/dev/null || fail "no answer without a newline"

note "garbage, deep nesting, a line without end"
head -c 200000 /dev/urandom | answer | all_refused || fail "garbage is not refused"
printf '%*s\n' 1000000 '' | tr ' ' '[' | answer | all_refused || fail "nesting is not refused"
head -c 20000000 /dev/zero | tr '\0' 'x' | answer | tail -n 1 >"$RUN/answers"
# Whether the last word still reaches who goes on sending is up to the kernel.
[ ! -s "$RUN/answers" ] || all_refused <"$RUN/answers" || fail "$(cat "$RUN/answers")"
ctl status >/dev/null || fail "nobody answers after an endless line"

# held COUNT TEXT REPEAT: so many clients hold their connections until held_end.
held() {
	"$CLIENTS" "$SOCK" "$@" >"$RUN/held" 2>&1 &
	HELD=$!
	PIDS+=("$HELD")
	wait_for 20 grep -q connected "$RUN/held"
}
held_end() { kill "$HELD" && wait "$HELD" 2>/dev/null; }

note "100 connections that say nothing make room for one that does"
held 100 "" 1
ctl port list >/dev/null || fail "idle clients lock others out"
held_end

note "31 half requests hold nobody up; 100 are told apart from a dead switch"
held 31 '{"command": "sta' 1
ctl port list >/dev/null || fail "half requests lock others out"
held_end
held 100 '{"command": "sta' 1
status=0
ctl port list >"$RUN/said" 2>&1 || status=$?
[ "$status" = 0 ] || grep -q "too many clients" "$RUN/said" || fail "exit $status: $(cat "$RUN/said")"
held_end
wait_for 5 ctl port list

note "requests whose answers nobody reads"
held 20 $'{"command": "metrics"}\n' 5000
ctl port list >/dev/null || fail "clients that do not read lock others out"
held_end
wait_for 10 eval '[ "$(descriptors)" -le '"$fds"' ]'
# What the switch may hold for its clients is 96 MiB, and the allocator may keep some of it.
grown=$(($(resident) - memory))
echo "   resident memory grew by $grown KiB"
[ "$grown" -lt 150000 ] || fail "it keeps what clients made it hold"

note "only root and the socket's group get in"
[ "$(stat -c '%U:%G %a' "$SOCK")" = "root:nogroup 620" ] || fail "access: $(stat -c '%U:%G %a' "$SOCK")"
as() { # USER GROUP
	printf '{"command":"status"}\n' | setpriv --reuid="$1" --regid="$2" --clear-groups \
		timeout 10 socat -t 5 - "UNIX-CONNECT:$SOCK" 2>"$RUN/said"
}
as nobody nogroup | jq -e .ok >/dev/null || fail "the group is locked out: $(cat "$RUN/said")"
as nobody daemon | grep -q . && fail "anybody gets in"
grep -qi "permission denied" "$RUN/said" || fail "another reason: $(cat "$RUN/said")"

note "not one of the packets that flowed meanwhile was lost"
kill -INT "$flow"
wait "$flow"
sed -n 's/^[0-9]* packets.*/   &/p' "$RUN/flow"
awk '/packets transmitted/ { exit !($1 > 100 && $1 - $4 <= 1) }' "$RUN/flow" || fail "$(cat "$RUN/flow")"

note "metrics are OpenMetrics, and say what the ledger says"
assert_ledger
ctl metrics >"$RUN/metrics"
awk -v q='"' '
	/^# EOF$/ { end = NR; next }
	/^# TYPE [a-z_]+ [a-z]+$/ { if ($3 in type) bad("family twice"); type[$3] = $4; next }
	/^# (HELP|UNIT) / { next }
	/^[a-z_]+({.*})? -?[0-9.e+-]+$/ {
		name = $0; sub(/[{ ].*/, "", name); family = name
		if (!(family in type)) sub(/_(total|info|created)$/, "", family)
		if (!(family in type)) bad("sample without a type")
		if (type[family] == "counter" && name !~ /_total$/) bad("counter without _total")
		series = $0; sub(/ [^ ]*$/, "", series)
		if (series in seen) bad("series twice")
		seen[series] = 1; n++; next
	}
	{ bad("no line of OpenMetrics") }
	function bad(why) { print why ": " $0; failed = 1 }
	END { if (end != NR || n < 20) { print "no # EOF at its end, or hardly a sample"; failed = 1 }
		exit failed }' "$RUN/metrics" || fail "metrics"
for port in a b; do
	want=$(received $port)
	got=$(sed -n "s/^vswitch_port_received_packets_total{.*port=\"$port\".*} //p" "$RUN/metrics")
	[ "$got" = "$want" ] || fail "received at $port: $got in the metrics, $want in the ledger"
done

assert_ledger
switch_stop

note "what stands where the socket should be stays, if it is not a dead one"
echo mine >"$SOCK"
"$VSWITCH_BUILD/vswitchd" -c "$RUN/vswitch.yaml" >"$RUN/said" 2>&1 && fail "it started"
grep -q "$SOCK is there and is no socket" "$RUN/said" || fail "$(cat "$RUN/said")"
[ "$(cat "$SOCK")" = mine ] || fail "a file of somebody else's was removed"
rm "$SOCK"
socat UNIX-LISTEN:"$SOCK",fork EXEC:true &
PIDS+=($!)
wait_for 5 test -S "$SOCK"
"$VSWITCH_BUILD/vswitchd" -c "$RUN/vswitch.yaml" >"$RUN/said" 2>&1 && fail "it started"
grep -q "another process listens at $SOCK" "$RUN/said" || fail "$(cat "$RUN/said")"

#!/bin/bash
# The life of a configuration, with the real programs: applied, refused, taken back, rolled back,
# kept over kill -9; exit codes; the control socket's rights and its second user; event rotation.
. "$(dirname "$0")/lib.bash"

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

port() { echo "  - {name: $1, network: office, vhost-user: {socket: $RUN/$1.sock, mode: server}}"; }

has_port() { ctl port show "$1" >/dev/null 2>&1; }
lacks_port() { ! has_port "$1"; }

file_with() { # NAME PORT...: a configuration file
	local name=$RUN/$1
	shift
	{
		vswitch_section
		echo "networks:"
		echo "  - {name: office, tenant: acme}"
		echo "ports:"
		for p in "$@"; do port "$p"; done
	} >"$name"
}

expect 4 ctl status
says "is it running?"

file_with vswitch.yaml vm1
sed -i "s|^  control: .*|&\n  control-access: {mode: \"0600\"}|" "$RUN/vswitch.yaml"
expect 0 ctl config check "$RUN/vswitch.yaml"
switch_spawn
[ "$(ctl status -j | jq .revision)" = 1 ] || fail "not applied: $(ctl status)"
[ "$(stat -c %a "$SOCK")" = 600 ] || fail "the socket's mode is $(stat -c %a "$SOCK")"

note "exit codes"
expect 0 ctl port list
says vm1
expect 2 ctl prt list
says "near it: port"
expect 2 ctl port show
expect 3 ctl port show vm9
expect 0 ctl config diff
file_with two.yaml vm1 vm2
expect 1 ctl config diff "$RUN/two.yaml"
says "+ ports[vm2]"

note "a refused file changes nothing, and says where and why"
sed 's/network: office/network: ofice/' "$RUN/two.yaml" >"$RUN/bad.yaml"
expect 3 ctl config apply "$RUN/bad.yaml"
says "bad.yaml:"
says "ports[1].network"
expect 3 ctl config check "$RUN/bad.yaml"
expect 0 ctl config diff

note "what is applied survives kill -9, and the file says how it has drifted"
expect 0 ctl config apply "$RUN/two.yaml"
expect 0 ctl port add vm3 network=office "vhost-user.socket=$RUN/vm3.sock" vhost-user.mode=server
expect 0 ctl port del vm1
switch_kill
[ -S "$SOCK" ] || fail "kill -9 removed the socket?"
switch_spawn
wait_for 5 has_port vm3
lacks_port vm1 || fail "vm1 is back after the restart"
expect 1 ctl config diff
says "+ ports[vm1]"

note "a change that nobody confirms comes back, also over kill -9"
expect 0 ctl config apply "$RUN/vswitch.yaml" --confirm-within 1s
wait_for 10 has_port vm3
lacks_port vm1 || fail "vm1 is there though the change was taken back"
expect 0 ctl port add vm4 network=office "vhost-user.socket=$RUN/vm4.sock" --confirm-within 1h
expect 3 ctl port del vm3
says "awaits its confirmation until"
switch_kill
switch_spawn
wait_for 5 has_port vm3
lacks_port vm4 || fail "an unconfirmed change survived"
expect 0 ctl port add vm4 network=office "vhost-user.socket=$RUN/vm4.sock" --confirm-within 1h
expect 0 ctl config confirm
expect 0 ctl config rollback
lacks_port vm4 || fail "vm4 is there after the rollback"

note "nobody else gets the socket"
"$VSWITCH_BUILD/vswitchd" -c "$RUN/vswitch.yaml" >"$RUN/second.log" 2>&1
[ $? != 0 ] || fail "a second vswitchd ran"
grep -q "another vswitchd is running" "$RUN/second.log" || fail "$(cat "$RUN/second.log")"
expect 0 ctl status

note "events: one JSON object a line, rotated on SIGHUP"
mv "$RUN/eve.json" "$RUN/eve.json.1"
kill -HUP "$SWITCH_PID"
wait_for 5 test -e "$RUN/eve.json"
expect 0 ctl port del vm3
jq -es 'all(has("timestamp") and has("event_type")) and any(.metadata.action == "applied")' \
	"$RUN/eve.json" >/dev/null || fail "no events after rotation: $(cat "$RUN/eve.json")"
jq -es 'any(.event_type == "start")' "$RUN/eve.json.1" >/dev/null || fail "no event of the start"

note "completion knows the ports"
[ "$("$VSWITCH_BUILD/vswitch-ctl" --complete -s "$SOCK" port show vm)" = vm2 ] ||
	fail "completed: $("$VSWITCH_BUILD/vswitch-ctl" --complete -s "$SOCK" port show vm)"

note "a client that says nothing, or does not read, holds nobody up"
socat -u "UNIX-CONNECT:$SOCK" "EXEC:tail -f /dev/null" &
PIDS+=($!)
for _ in 1 2 3 4 5; do expect 0 ctl --timeout 10s port list; done
expect 0 ctl metrics
[[ "$OUT" == *"# EOF" ]] || fail "metrics do not end with # EOF"

assert_ledger
switch_stop
[ ! -e "$SOCK" ] || fail "the socket was left behind"

note "with a broken file nothing is applied, the reason is told, and it can be mended"
cp "$RUN/bad.yaml" "$RUN/vswitch.yaml"
switch_spawn
expect 0 ctl status
says "ports[0].network"
[ "$(ctl -j status | jq .revision)" = 0 ] || fail "something is applied"
lacks_port vm2 || fail "vm2 is there with a broken file"
expect 0 ctl config apply "$RUN/two.yaml"
has_port vm2 || fail "vm2 is not there after mending"
switch_stop

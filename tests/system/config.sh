#!/bin/bash
# Configuration as an operator meets it: what is wrong is said with file, line and field, a refused
# change changes nothing, what was applied comes back after a restart, a start without a good file
# passes nothing and says why.
# Catalogue: 47 and 48 in their switch part, 77 (exit codes), and issue item 6.
. "$(dirname "$0")/lib.bash"

ns_quiet a b
ports=$(port_yaml a office; port_yaml b office "mac: 02:00:00:00:00:02")
switch_start <<END
networks: [{name: office}]
ports:
$ports
END
ip -n "$(ns a)" address add 10.0.0.1/24 dev net0
ip -n "$(ns b)" address add 10.0.0.2/24 dev net0
ping_ok a 10.0.0.2

# code EXPECTED COMMAND...: its exit code; what it said is in $RUN/said.
code() {
	local want=$1 status=0
	shift
	"$@" >"$RUN/said" 2>&1 || status=$?
	[ "$status" = "$want" ] || fail "exit $status instead of $want: $*: $(cat "$RUN/said")"
}
says() { grep -qF -- "$1" "$RUN/said" || fail "'$1' is not in: $(cat "$RUN/said")"; }

note "a file with faults: each with its line, and nothing changes"
cat >"$RUN/bad.yaml" <<END
networks:
  - {name: office, mtu: 12}
ports:
  - {name: a, network: offise, kernel: {interface: net0}}
  - name: b
    network: office
    mac: 01:00:00:00:00:02
    colour: red
END
ctl config show >"$RUN/before"
code 3 ctl config apply "$RUN/bad.yaml"
says "$RUN/bad.yaml:2:"
says "networks[0].mtu"
says "$RUN/bad.yaml:4:"
says offise
says "$RUN/bad.yaml:7:"
says "$RUN/bad.yaml:8:"
says colour
code 3 "$VSWITCH_BUILD/vswitch-ctl" config check "$RUN/bad.yaml"
says "$RUN/bad.yaml:4:"
ctl config show | cmp - "$RUN/before" || fail "a refused change changed something"
ping_ok a 10.0.0.2

note "exit codes: usage, refused, no daemon"
code 2 ctl port lizt
code 3 ctl port del nothing --strict
code 4 "$VSWITCH_BUILD/vswitch-ctl" -s "$RUN/nobody.sock" status

note "check, dry run and difference change nothing; drift from the file shows"
code 0 ctl config check "$RUN/vswitch.yaml"
code 0 ctl config diff
code 0 ctl port add c network=office vhost-user.socket="$RUN/c.sock"
code 1 ctl config diff
says "ports[c]"
code 0 ctl config apply "$RUN/vswitch.yaml" --dry-run
says "ports[c]"
ctl port show c >/dev/null || fail "the dry run removed port c"

note "kill -9 and restart: what was applied by command is back"
switch_kill
switch_spawn
ctl port show c >/dev/null || fail "port c did not survive: $(ctl port list)"
ip -n "$(ns a)" address replace 10.0.0.1/24 dev net0
ip -n "$(ns b)" address replace 10.0.0.2/24 dev net0
ping_ok a 10.0.0.2

note "roll back, and a change that nobody confirms"
code 0 ctl config rollback
code 3 ctl port show c
code 0 ctl port add d network=office vhost-user.socket="$RUN/d.sock" --confirm-within 2s
ctl port show d >/dev/null || fail "an unconfirmed change must run"
code 3 ctl port add e network=office vhost-user.socket="$RUN/e.sock"
wait_for 10 eval '! ctl port show d'
code 0 ctl port add d network=office vhost-user.socket="$RUN/d.sock" --confirm-within 60s
code 0 ctl config confirm
code 0 ctl port add e network=office vhost-user.socket="$RUN/e.sock" --confirm-within 60s
switch_kill
switch_spawn
ctl port show d >/dev/null || fail "the confirmed change is gone"
code 3 ctl port show e

note "another vswitchd on the same socket is refused, and the first one goes on"
code 1 timeout 20 "$VSWITCH_BUILD/vswitchd" -c "$RUN/vswitch.yaml"
says "$SOCK"
ctl status >/dev/null || fail "the first one is gone"
assert_ledger
switch_stop

note "a broken file: the daemon runs, passes nothing, says why, and can be mended"
rm -rf "$RUN/state"
cp "$RUN/vswitch.yaml" "$RUN/good.yaml"
sed -i 's/^networks:.*/networks: [{name: office, mtu: none}]/' "$RUN/vswitch.yaml"
switch_spawn_at() {
	"$VSWITCH_BUILD/vswitchd" -c "$RUN/vswitch.yaml" >>"$RUN/vswitchd.log" 2>&1 &
	SWITCH_PID=$!
	wait_for 20 switch_answers
}
# Where it listens is in the file too: a fault elsewhere must not move the socket.
switch_spawn_at
ctl status >"$RUN/said"
says mtu
[ "$(ctl port list -j | jq length)" = 0 ] || fail "there are ports: $(ctl port list)"
ip -n "$(ns a)" link show net0 >/dev/null 2>&1 && fail "a port was made"
code 0 ctl config apply "$RUN/good.yaml"
ip -n "$(ns a)" address add 10.0.0.1/24 dev net0
ip -n "$(ns b)" address add 10.0.0.2/24 dev net0
ping_ok a 10.0.0.2

assert_ledger
switch_stop

#!/bin/bash
# The switch is killed under a running TCP stream and started again: within the pick-up window the
# stream goes on, and with a window of 0 it does not, as no connection is known that it is of.
# Catalogue: 67; issue item 1.
. "$(dirname "$0")/lib.bash"

ns_quiet a b
configuration() {
	vswitch_section
	cat <<-END
		firewall: {pick-up: $1}
		networks: [{name: office, tenant: acme}]
		groups:
		  - name: served
		    tenant: acme
		    rules: [{direction: in, protocol: tcp, ports: 5001, action: allow}]
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1], default-in: deny")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2], groups: [served]")
	END
}
configuration 60s >"$RUN/vswitch.yaml"
switch_spawn
# The neighbours are known, so that only the stream speaks.
addresses() {
	local i
	for i in a:1:2 b:2:1; do
		ip -n "$(ns ${i:0:1})" address replace 10.0.0.${i:2:1}/24 dev net0
		ip -n "$(ns ${i:0:1})" neigh replace 10.0.0.${i:4:1} lladdr 02:00:00:00:00:0${i:4:1} dev net0
	done
}
addresses

# The server says something now and then as well, so that either end may be first.
cat >"$RUN/serve" <<'END'
#!/bin/bash
while echo tick 2>/dev/null; do sleep 0.1; done &
exec cat >"$1"
END
chmod +x "$RUN/serve"
spawn_ns b socat TCP-LISTEN:5001,reuseaddr "EXEC:$RUN/serve $RUN/served"
listens() { in_ns b ss -Hlnt 'sport = :5001' | grep -q .; }
wait_for 10 listens
mkfifo "$RUN/say"
spawn_ns a socat "OPEN:$RUN/say,rdonly!!OPEN:$RUN/heard,creat,wronly" TCP:10.0.0.2:5001
(while echo line; do sleep 0.1; done) >"$RUN/say" 2>/dev/null &
PIDS+=($!)

lines() { wc -l <"$RUN/$1"; }
more_than() { [ "$(lines "$1")" -gt "$2" ]; }
goes_on() {
	local file
	for file in served heard; do wait_for 60 more_than $file $(($(lines $file 2>/dev/null || echo 0) + 5)); done
}
wait_for 10 test -s "$RUN/served"
wait_for 10 test -s "$RUN/heard"
goes_on

note "killed and started again: it goes on"
for round in 1 2; do
	switch_kill
	switch_spawn
	addresses
	goes_on
	ctl conn list --service tcp/5001 -j | jq -e '.connections | length == 1 and (.[0] |
		.picked_up and .state == "established" and .from == "a" and .to == "b")' >/dev/null ||
		fail "round $round: not taken up as what it is: $(ctl conn list -j)"
done
[ "$(ctl status -j | jq .firewall.picked_up)" -ge 1 ] || fail "none was counted: $(ctl status -j)"

note "with a window of 0 it ends"
configuration 0 >"$RUN/vswitch.yaml"
ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "refused"
goes_on
switch_kill
switch_spawn
addresses
served=$(lines served) heard=$(lines heard)
dropped() { [ "$(drops_of "$1" tcp_no_connection)" -ge 2 ]; }
wait_for 60 dropped a
wait_for 60 dropped b
[ "$(lines served)/$(lines heard)" = "$served/$heard" ] || fail "something came through"
[ "$(ctl conn count -j | jq .connections)" = 0 ] || fail "taken up all the same: $(ctl conn list)"
assert_ledger
switch_stop

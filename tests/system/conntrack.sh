#!/bin/bash
# Connections as an operator sees them: listed, counted and closed by filter, in words and in JSON,
# with real TCP, UDP and ICMP of two tenants who use the same addresses; and the times after which
# they are forgotten.
# Catalogue: 58, 62, 64; issue item 1.
. "$(dirname "$0")/lib.bash"

ns_quiet a b x y
configuration() { # [TIMEOUTS]
	cat <<-END
		firewall: {pick-up: 0, timeouts: {${1:-}}}
		networks: [{name: office, tenant: acme}, {name: lab, tenant: beta}]
		ports:
		$(port_yaml a office "mac: 02:00:00:00:00:01, ips: [10.0.0.1], default-in: deny")
		$(port_yaml b office "mac: 02:00:00:00:00:02, ips: [10.0.0.2]")
		$(port_yaml x lab "mac: 02:00:00:00:00:01, ips: [10.0.0.1], default-in: deny")
		$(port_yaml y lab "mac: 02:00:00:00:00:02, ips: [10.0.0.2]")
	END
}
switch_start < <(configuration)
for i in a:1 b:2 x:1 y:2; do
	ip -n "$(ns ${i%:*})" address add 10.0.0.${i#*:}/24 dev net0
done
for name in b y; do
	spawn_ns $name socat TCP-LISTEN:5001,reuseaddr,fork EXEC:cat
	spawn_ns $name socat UDP-LISTEN:5002,fork EXEC:cat
done
listens() { in_ns "$1" ss -Hlnt 'sport = :5001' | grep -q . && in_ns "$1" ss -Hlnu 'sport = :5002' | grep -q .; }
for name in b y; do wait_for 10 listens $name; done

# conns JQ [FILTER...]: of the list in JSON
conns() {
	local expression=$1
	shift
	ctl conn list "$@" -j | jq -e "$expression"
}
count() { ctl conn count "$@" -j | jq .connections; }
counts() { # NUMBER FILTER...
	local number=$1
	shift
	[ "$(count "$@")" = "$number" ]
}
# is_gone PID: a process of ours has ended.
is_gone() { ! kill -0 "$1" 2>/dev/null; }

# talk NAME: opens a TCP connection, says a word, hears it, and stays; $TALKS is its process.
talk() {
	mkfifo "$RUN/say.$1"
	spawn_ns "$1" socat "OPEN:$RUN/say.$1,rdonly!!OPEN:$RUN/heard.$1,creat,wronly" TCP:10.0.0.2:5001
	TALKS=$SPAWNED
	exec 8>"$RUN/say.$1"
	echo hello >&8
	wait_for 10 grep -q hello "$RUN/heard.$1"
}

note "TCP, UDP and ICMP, each in its state"
talk a
TALK_A=$TALKS
exec 7>&8
talk x
TALK_X=$TALKS
exec 6>&8
ping_ok a 10.0.0.2
[ "$(echo word | in_ns a socat -t 2 - UDP:10.0.0.2:5002,shut-null)" = word ] || fail "UDP was not answered"
wait_for 5 conns '.connections | length == 1 and (.[0] | .state == "established" and .from == "a" and
	.to == "b" and .from_address == "10.0.0.1" and .to_address == "10.0.0.2" and .to_port == 5001 and
	.protocol == "tcp" and .network == "office" and .tenant == "acme" and .picked_up == false and
	.denied == false)' --network office --service tcp/5001
conns '.connections | length == 1 and .[0].state == "multiple"' --tenant acme --service udp/5002 >/dev/null ||
	fail "not listed: $(ctl conn list)"
conns '.connections | length == 1 and .[0].state == "replied"' --port a --service icmp >/dev/null ||
	fail "not listed: $(ctl conn list)"

note "filters and counts"
[ "$(count)" = 4 ] || fail "not 4 connections: $(ctl conn list)"
[ "$(count --tenant acme)/$(count --tenant beta)/$(count --network lab)" = 3/1/1 ] || fail "$(ctl conn list)"
[ "$(count --from 10.0.0.1)/$(count --from 10.0.0.2)/$(count --to 10.0.0.0/24)" = 4/0/4 ] || fail "$(ctl conn list)"
[ "$(count --port b)/$(count --state established)/$(count --service tcp/5001-5002)" = 3/2/2 ] || fail "$(ctl conn list)"
ctl conn count --by tenant -j | jq -e '.groups | sort_by(.name) == [{"name": "acme", "connections": 3}, {"name": "beta", "connections": 1}]' >/dev/null ||
	fail "by tenant: $(ctl conn count --by tenant -j)"
ctl conn list | grep -q established || fail "in words: $(ctl conn list)"
conns '.more and (.connections | length == 2)' --limit 2 >/dev/null || fail "a list of 2: $(ctl conn list --limit 2 -j)"
refused conn list --port nobody
grep -q nobody "$RUN/refused" || fail "says nothing of the name: $(cat "$RUN/refused")"
refused conn list --state asleep
refused conn kill
[ "$(count)" = 4 ] || fail "a refused kill closed some"

note "what is closed by command is of no connection any more, and nothing else is"
ctl conn kill --network office --service tcp/5001 | grep -q 1 || fail "killed none"
wait_for 5 counts 0 --network office --service tcp/5001
echo again >&7
ends_dropped() { [ "$(drops_of a tcp_no_connection)" -ge 1 ]; }
wait_for 10 ends_dropped
! grep -q again "$RUN/heard.a" || fail "the killed connection goes on"
echo again >&6
wait_for 10 grep -q again "$RUN/heard.x"
ctl conn kill --all >/dev/null
wait_for 5 counts 0 --network lab
kill "$TALK_A" "$TALK_X"
exec 6>&- 7>&- 8>&-
wait_for 5 is_gone "$TALK_X"

note "times by state, changed while it runs"
configuration "tcp-syn: 1s, udp-first: 1s, udp-multiple: 2s, icmp-replied: 1s, tcp-closed: 1s, tcp-closing: 1s, tcp-fin: 1s" >"$RUN/rest"
{ vswitch_section && cat "$RUN/rest"; } >"$RUN/vswitch.yaml"
ctl config apply "$RUN/vswitch.yaml" >/dev/null || fail "the new times were refused"
opened() { ctl status -j | jq .firewall.opened; }
before=$(opened)
ping_ok a 10.0.0.2
[ "$(echo word | in_ns a socat -t 2 - UDP:10.0.0.2:5002,shut-null)" = word ] || fail "UDP was not answered"
[ "$(opened)" = $((before + 2)) ] || fail "not opened anew: $before, then $(opened)"
wait_for 20 counts 0
assert_ledger
switch_stop

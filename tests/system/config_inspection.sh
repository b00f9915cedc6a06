#!/bin/bash
# A tenant's inspection as part of the configuration: its rule files are read when it is applied and
# refused with file and line, it is compared, rolled back and comes back after a restart like all
# else, and what it names cannot be removed. Also: stats events.
. "$(dirname "$0")/lib.bash"

mkdir "$RUN/rules"
marker='content:"harmless marker"'
echo "alert tcp any any -> any 445 (msg:\"marker\"; $marker; sid:1;)" >"$RUN/rules/good.rules"
{
	cat "$RUN/rules/good.rules"
	echo "alert tcp any any -> any 445 (msg:\"marker\"; $marker; nonsense:1; sid:2;)"
} >"$RUN/rules/bad.rules"

# with_inspection FIELDS: the configuration with one entry of those.
with_inspection() {
	vswitch_section
	cat <<-END
		  rules: $RUN/rules
		  stats-interval: 1s
		networks: [{name: office, tenant: acme}]
		ports:
		  - {name: a, network: office, vhost-user: {socket: $RUN/a.sock}}
		  - {name: b, network: office, vhost-user: {socket: $RUN/b.sock}}
		inspection:
		  - {tenant: acme, $1}
	END
}

# code EXPECTED COMMAND...: its exit code; what it said is in $RUN/said.
code() {
	local want=$1 status=0
	shift
	"$@" >"$RUN/said" 2>&1 || status=$?
	[ "$status" = "$want" ] || fail "exit $status instead of $want: $*: $(cat "$RUN/said")"
}
says() { grep -qF -- "$1" "$RUN/said" || fail "'$1' is not in: $(cat "$RUN/said")"; }

with_inspection "mode: prevent, rules: [good.rules], quarantine: {for: 1h, exempt: [b]}" \
	>"$RUN/vswitch.yaml"
switch_spawn
ctl config show >"$RUN/said"
says "good.rules"
says "for: 1h"
code 0 ctl config diff

note "rules that are refused refuse the configuration, with file and line, and change nothing"
with_inspection "rules: [bad.rules]" >"$RUN/bad.yaml"
code 3 ctl config apply "$RUN/bad.yaml"
says "$RUN/rules/bad.rules:2:"
says "sid 2"
says "nonsense"
says "inspection[0].rules[0]"
code 3 ctl config check "$RUN/bad.yaml"
says "$RUN/rules/bad.rules:2:"
with_inspection "rules: [none.rules]" >"$RUN/none.yaml"
code 3 ctl config apply "$RUN/none.yaml"
says "none.rules"
code 0 ctl config check "$RUN/none.yaml"
says "none.rules is not to be read here"
code 0 ctl config diff
with_inspection "rules: [bad.rules], skip-unsupported: yes" >"$RUN/skip.yaml"
code 0 ctl config check "$RUN/skip.yaml"
says "1 of their rules are left out"

note "differences and the way back"
with_inspection "mode: detect, rules: [good.rules], services: [445]" >"$RUN/other.yaml"
code 0 ctl config apply "$RUN/other.yaml" --dry-run
says "inspection[acme].mode: prevent -> detect"
code 0 ctl config apply "$RUN/other.yaml"
code 1 ctl config diff
says "inspection[acme].quarantine.for"
code 0 ctl config rollback
code 0 ctl config diff

note "a port that is exempt stays, others go; all of it outlives a kill"
code 3 ctl port del b
says "quarantine.exempt of tenant acme's inspection"
code 0 ctl port del a
switch_kill
switch_spawn
ctl config show | sed -n '/^inspection:/,$p' >"$RUN/said"
says "mode: prevent"
says "exempt:"
says "good.rules"

note "stats events, once a second"
told() { jq -e 'select(.event_type == "stats")' "$RUN/eve.json" | grep -q . ; }
wait_for 10 told
jq -s -e 'map(select(.event_type == "stats")) | last |
	.stats.uptime >= 0 and .stats.decoder.pkts == 0 and .stats.ips.blocked == 0 and
	.metadata.quarantined == 0 and .metadata.ports == 1' "$RUN/eve.json" >/dev/null ||
	fail "not in: $(jq -c 'select(.event_type == "stats")' "$RUN/eve.json" | tail -n 1)"
assert_ledger
switch_stop

#!/bin/bash
# Suricata 7 and we, by the same rules, on the same captures: as IDS and as IPS, every address any,
# without its parser's events. First on harmless sessions that tests/tools/rule_traffic makes for
# every loaded rule, where it is known what must be found; then on the public SMB captures. Whatever
# differs stands in suricata.differences with its reason; what stands there must still differ.
. "$(dirname "$0")/lib.bash"

command -v suricata >/dev/null ||
	skip "no Suricata here: \`make deps\` installs it where bookworm-backports is at hand"
[[ $(suricata -V) =~ version\ 7\. ]] || skip "not Suricata 7: $(suricata -V)"
command -v socat >/dev/null || skip "no socat here"

differences=$TESTS/system/suricata.differences
captures=${VSWITCH_SHARED:-$TESTS/../../shared}/captures
tools=$VSWITCH_BUILD/tests/tools
MODES=(ids ips)
declare -A FLAGS=([ids]="" [ips]=--simulate-ips)

# Its own rules are not in question: what its parser takes for an error is to end nothing.
cat >"$RUN/suricata.yaml" <<END
%YAML 1.1
---
vars:
  address-groups: {HOME_NET: any, EXTERNAL_NET: any, HTTP_SERVERS: any, SMTP_SERVERS: any,
    SQL_SERVERS: any, DNS_SERVERS: any, TELNET_SERVERS: any, DC_SERVERS: any}
  port-groups: {HTTP_PORTS: "80", SHELLCODE_PORTS: "!80", ORACLE_PORTS: 1521, SSH_PORTS: 22,
    FTP_PORTS: 21, FILE_DATA_PORTS: "[\$HTTP_PORTS,110,143]"}
outputs:
  - eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [alert]}
unix-command: {enabled: yes, filename: $RUN/suricata.sock}
exception-policy: ignore
stream:
  midstream: true
  midstream-policy: ignore
  checksum-validation: no
  reassembly: {depth: 0, randomize-chunk-size: no}
app-layer:
  error-policy: ignore
  protocols:
    smb: {enabled: yes, detection-ports: {dp: "139, 445"}}
    dcerpc: {enabled: yes}
END

# ours.rules: all that load here, whatever its action; theirs.rules: the same, to alert.
make_rules() {
	: >"$RUN/public.rules"
	[ ! -d "$captures" ] || grep -hvE '^#|^ *$|app-layer-event' "$captures/suricata-7.0.10.rules" \
		>"$RUN/public.rules"
	"$VSWITCH_BUILD/vswitch-ctl" -j rules check "$RUN/public.rules" >"$RUN/check"
	jq -r '.refused[] | "\(.line)d"' "$RUN/check" >"$RUN/refused.sed" ||
		fail "rules check: $(<"$RUN/check")"
	{
		sed -f "$RUN/refused.sed" "$RUN/public.rules"
		cat "$TESTS/../rules/smb.rules"
	} >"$RUN/ours.rules"
	sed 's/^drop /alert /' "$RUN/ours.rules" >"$RUN/theirs.rules"
	note "$(grep -c '^[a-z]' "$RUN/ours.rules") rules, without $(wc -l <"$RUN/refused.sed") refused ones"
}

# Sessions as "CLIENT KIND SID"; what we find in them as "CLIENT SID".
make_traffic() {
	"$tools/rule_traffic" "$RUN/ours.rules" "$RUN/traffic.pcap" >"$RUN/made" ||
		fail "rule_traffic ended with $?"
	grep -v '^unsolved' "$RUN/made" >"$RUN/sessions"
	sed -n 's/^unsolved [0-9]* //p' "$RUN/made" | sort | uniq -c | while read -r count why; do
		note "$count rules have no sessions: $why:" \
			"$(sed -n "s/^unsolved \([0-9]*\) $why\$/\1/p" "$RUN/made" | paste -sd' ')"
	done
	[ $(($(grep -c '^unsolved' "$RUN/made") * 20)) -lt "$(grep -c '^[a-z]' "$RUN/ours.rules")" ] ||
		fail "too many rules have no sessions"
	"$tools/rule_alerts" "$RUN/ours.rules" "$RUN/traffic.pcap" >"$RUN/alerts" 2>"$RUN/errors" ||
		fail "rule_alerts ended with $?: $(<"$RUN/errors")"
	[ ! -s "$RUN/errors" ] || fail "rule_alerts: $(<"$RUN/errors")"
	sort -u "$RUN/alerts" >"$RUN/traffic.ours"
	note "$(wc -l <"$RUN/sessions") sessions"
}

# The same through the whole data path, in mode detect: a line a rule, with how often it alerted.
# Without more, a replay's ports are who opens a conversation and its peer.
# replay CAPTURE INSPECTED MEBIBYTES: connections that may be under inspection, and its memory.
replay() {
	cat >"$RUN/replay.yaml" <<END
vswitch:
  workers: [$(($(nproc) - 1))]
  hugepages: no
  buffers: 16384
  connections: 65536
  inspected: $2
  inspection-memory: $3
  rules: $RUN
networks:
  - {name: lan, tenant: acme}
ports:
  - {name: left, network: lan, kernel: {interface: left}, default-in: allow}
  - {name: right, network: lan, kernel: {interface: right}, default-in: allow}
inspection:
  - {tenant: acme, rules: [ours.rules], mode: detect, memory: $3}
END
	"$VSWITCH_BUILD/vswitchd" -c "$RUN/replay.yaml" --replay "$1" >"$RUN/summary" 2>"$RUN/errors" ||
		fail "replay of $1 ended with $?: $(<"$RUN/errors")"
	jq -e '.ledger.adds_up and .inspection.status.log_lost == 0' "$RUN/summary" >"$RUN/answer" ||
		fail "replay of $1: $(<"$RUN/summary")"
	jq -r '.inspection.alerts[] | select(.sid) | "\(.sid) \(.count)"' "$RUN/summary" | sort
}

assert_replay() {
	replay "$RUN/traffic.pcap" 8192 512 >"$RUN/replayed"
	cut -d' ' -f2 "$RUN/alerts" | sort | uniq -c | awk '{ print $2, $1 }' | sort >"$RUN/counted"
	cmp -s "$RUN/replayed" "$RUN/counted" ||
		fail "the switch finds other things: $(diff "$RUN/counted" "$RUN/replayed" | head -n 20)"
	note "the switch itself: $(awk '{ n += $2 } END { print n }' "$RUN/replayed") alerts, the same"
}

# The rule of each session, and the rule alone that is one byte off, as must be.
assert_right() {
	awk 'NR == FNR { found[$0] = 1; next }
		{ if (($1 " " $3 in found) == ($2 == "miss")) { print; wrong = 1 } }
		END { exit wrong }' "$RUN/traffic.ours" "$RUN/sessions" >"$RUN/wrong" ||
		fail "what we find of sessions made for it is wrong: $(head -n 20 "$RUN/wrong")"
	# All that is found of a record, other rules too, is found however it came.
	awk 'NR == FNR { found[$1] = found[$1] " " $2; next }
		$2 == "hit" { whole[$3] = found[$1]; next }
		$2 != "miss" && found[$1] != whole[$3] {
			print $0 ":" found[$1] ", whole:" whole[$3]; wrong = 1
		}
		END { exit wrong }' "$RUN/traffic.ours" "$RUN/sessions" >"$RUN/wrong" ||
		fail "how a record came makes a difference: $(head -n 20 "$RUN/wrong")"
}

# alerts_of EVE: "CLIENT SID"; clients of made sessions are in 10/8.
alerts_of() {
	jq -r 'select(.alert) | (if (.src_ip | startswith("10.")) then .src_ip else .dest_ip end)
		+ " " + (.alert.signature_id | tostring)' "$1" | sort -u
}

# Each difference as "WHERE NAME MODE WHO SID".
compare_traffic() {
	local mode
	for mode in "${MODES[@]}"; do
		mkdir "$RUN/$mode"
		# shellcheck disable=SC2086 # no flag is no word
		suricata -c "$RUN/suricata.yaml" ${FLAGS[$mode]} -k none -r "$RUN/traffic.pcap" \
			-S "$RUN/theirs.rules" -l "$RUN/$mode" >"$RUN/suricata.log" 2>&1 ||
			fail "suricata: $(tail "$RUN/suricata.log")"
		alerts_of "$RUN/$mode/eve.json" >"$RUN/traffic.$mode"
		{
			comm -23 "$RUN/traffic.ours" "$RUN/traffic.$mode" | sed "s/^/ours /"
			comm -13 "$RUN/traffic.ours" "$RUN/traffic.$mode" | sed "s/^/suricata /"
		} | awk -v mode="$mode" 'NR == FNR { kind[$1] = $2; next }
			{ print "traffic", kind[$2], mode, $1, $3 }' "$RUN/sessions" - |
			sort -u >>"$RUN/found"
		note "$mode: $(wc -l <"$RUN/traffic.$mode") alerts in the sessions, ours" \
			"$(wc -l <"$RUN/traffic.ours")"
	done
}

# Suricata's control socket, on descriptors 4 and 5: a line there and a line back.
ask() {
	local answer
	echo "$1" >&5
	read -r -t 20 answer <&4 || fail "suricata does not answer: $(tail "$RUN/suricata.log")"
	echo "$answer"
}

is_done() {
	[ "$(ask '{"command": "pcap-file-number"}' | jq .message)" = 0 ] &&
		[ "$(ask '{"command": "pcap-current"}' | jq -r .message)" = None ]
}

# All captures through one Suricata, which begins anew with each: $RUN/MODE/N/eve.json.
suricata_captures() {
	local mode=$1 pid socat_pid n=0 name
	rm -f "$RUN/suricata.sock"
	# shellcheck disable=SC2086
	suricata -c "$RUN/suricata.yaml" ${FLAGS[$mode]} -k none --unix-socket="$RUN/suricata.sock" \
		-S "$RUN/theirs.rules" -l "$RUN/$mode" >"$RUN/suricata.log" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	wait_for 60 test -S "$RUN/suricata.sock"
	coproc ASK { exec socat - "UNIX-CONNECT:$RUN/suricata.sock"; }
	socat_pid=$ASK_PID
	exec 4<&"${ASK[0]}" 5>&"${ASK[1]}" # a coprocess's own are not there in subshells
	ask '{"version": "0.2"}' >"$RUN/answer"
	while read -r name; do
		n=$((n + 1))
		mkdir "$RUN/$mode/$n"
		ask "$(jq -cn --arg file "$captures/$name" --arg dir "$RUN/$mode/$n" '{command: "pcap-file",
			arguments: {filename: $file, "output-dir": $dir}}')" >"$RUN/answer"
		jq -e '.return == "OK"' "$RUN/answer" >/dev/null || fail "suricata: $(<"$RUN/answer")"
	done <"$RUN/captures"
	wait_for 90 is_done
	ask '{"command": "shutdown"}' >"$RUN/answer"
	wait "$pid" || fail "suricata ended with $?: $(tail "$RUN/suricata.log")"
	exec 4<&- 5>&-
	wait "$socat_pid" 2>/dev/null
}

compare_captures() {
	local mode name n=0
	jq -r '.[].f' "$captures/suricata-7.0.10-alerts.json" >"$RUN/captures"
	for mode in "${MODES[@]}"; do suricata_captures "$mode"; done
	while read -r name; do
		n=$((n + 1))
		replay "$captures/$name" 1024 64 >"$RUN/replayed"
		cut -d' ' -f1 "$RUN/replayed" >"$RUN/capture.ours"
		for mode in "${MODES[@]}"; do
			jq -r 'select(.alert) | .alert.signature_id' "$RUN/$mode/$n/eve.json" |
				sort -u >"$RUN/capture.theirs"
			comm -23 "$RUN/capture.ours" "$RUN/capture.theirs" |
				sed "s|^|capture $name $mode ours |" >>"$RUN/found"
			comm -13 "$RUN/capture.ours" "$RUN/capture.theirs" |
				sed "s|^|capture $name $mode suricata |" >>"$RUN/found"
		done
	done <"$RUN/captures"
	note "$n captures"
}

# Each difference found has its line in the table, and without shared/ missing, each line its
# difference, in each mode that it names.
explain() {
	grep -vE '^#|^$' "$differences" | awk -v complete="$1" '
		function fits(i, mode) {
			return ((name[i] == "*" || name[i] == $2) && where[i] == $1 && who[i] == $4 &&
				(sid[i] == "*" || sid[i] == $5) && (modes[i] == "both" || modes[i] == $3))
		}
		NR == FNR {
			n++
			where[n] = $1; name[n] = $2; modes[n] = $3; who[n] = $4; sid[n] = $5
			line[n] = $0
			if (NF < 6 || modes[n] !~ /^(ids|ips|both)$/ || who[n] !~ /^(ours|suricata)$/) {
				print "not a line of the table: " $0
				bad = 1
			}
			next
		}
		{
			known = 0
			for (i = 1; i <= n; i++)
				if (fits(i)) { used[i, $3]++; known = 1 }
			if (!known) { print "unexplained: " $0; bad = 1 }
		}
		END {
			for (i = 1; i <= n; i++) {
				if (complete != "yes") continue
				if ((modes[i] != "ips" && !used[i, "ids"]) ||
					(modes[i] != "ids" && !used[i, "ips"])) {
					print "no difference any more: " line[i]
					bad = 1
				}
			}
			exit bad
		}' - "$RUN/found" >"$RUN/explained" ||
		fail "$(wc -l <"$RUN/explained") lines: $(head -n 40 "$RUN/explained")"
	note "$(wc -l <"$RUN/found") differences, all explained"
}

: >"$RUN/found"
make_rules
make_traffic
assert_right
assert_replay
compare_traffic
if [ -d "$captures" ]; then
	compare_captures
	explain yes
else
	note "no captures at $captures (set VSWITCH_SHARED): only with our own rules"
	explain no
fi

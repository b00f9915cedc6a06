#!/bin/bash
# Public captures through inspection in mode prevent, with invariants alone and with the shipped
# rules: of each attack neither the packet that gives it away nor anything later of its connection
# comes out, its source is cut off, and the decision falls no later than where a person would see
# it. Ordinary sessions pass whole: nothing is dropped by inspection, nobody is cut off.
. "$(dirname "$0")/lib.bash"

captures=${VSWITCH_SHARED:-$TESTS/../../shared}/captures
[ -d "$captures/zeek-eternalsafety" ] ||
	skip "no captures at $captures/zeek-eternalsafety (set VSWITCH_SHARED)"

# configure RULES FAN-OUT
configure() {
	cat >"$RUN/replay.yaml" <<-END
		vswitch: {hugepages: no, inspected: 512, inspection-memory: 64, rules: ${TESTS%/tests}/rules}
		networks: [{name: office, tenant: acme}]
		ports:
		  - {name: client, network: office, kernel: {interface: c}}
		  - {name: server, network: office, kernel: {interface: s}}
		inspection:
		  - {tenant: acme, mode: prevent, rules: [$1], fan-out: {enabled: $2}}
	END
}

# replay FILE: its summary in $RUN/summary, what came out in $RUN/out.pcap.
replay() {
	timeout 60 "$VSWITCH_BUILD/vswitchd" -c "$RUN/replay.yaml" --replay "$1" \
		--out "$RUN/out.pcap" >"$RUN/summary" 2>"$RUN/errors" ||
		fail "replay of $1 ended with $?: $(cat "$RUN/errors")"
	[ "$(summary '.ledger.adds_up and .lost == 0')" = true ] || fail "$1: $(cat "$RUN/summary")"
}
summary() { jq -c "$1" "$RUN/summary"; }

# frames FILE [FILTER]: each frame's bytes as a line.
frames() {
	tcpdump -r "$1" -nn -t -xx ${2:+"$2"} 2>/dev/null |
		awk '/^\t0x/ { sub(/^\t0x[0-9a-f]*: */, ""); gsub(/ /, ""); line = line $0; next }
			line != "" { print line; line = "" } END { if (line != "") print line }'
}

# flow_of FILE NUMBER: a filter for the TCP connection of the frame, counted from 1.
flow_of() {
	tcpdump -r "$1" -nn -t 2>/dev/null | grep '^[^ \t]' | sed -n "$2p" |
		sed -nE 's/^IP ([0-9.]+)\.([0-9]+) > ([0-9.]+)\.([0-9]+):.*/host \1 and host \3 and port \2 and port \4/p'
}

# stopped CAPTURE LAST: no later than at frame LAST.
stopped() {
	local file=$captures/zeek-eternalsafety/$1 frame flow
	replay "$file"
	frame=$(summary '.inspection.quarantined[0].frame')
	[ "$frame" != null ] || fail "$1: nobody was cut off: $(summary .inspection)"
	[ "$frame" -le "$2" ] || fail "$1: decided at frame $frame only, not at $2"
	[ "$(summary '.inspection.quarantined[0] | .level')" = '"service"' ] ||
		fail "$1: $(summary .inspection.quarantined)"
	[ "$(summary '.drops.inspect_found // 0')" -ge "${3:-1}" ] || fail "$1: $(summary .drops)"
	flow=$(flow_of "$file" "$frame")
	[ -n "$flow" ] || fail "$1: frame $frame is no TCP"
	frames "$file" | head -n $((frame - 1)) | sort >"$RUN/before"
	# Resets are the switch's own.
	frames "$RUN/out.pcap" "$flow and tcp[tcpflags] & tcp-rst = 0" | sort >"$RUN/came"
	[ "$(comm -13 "$RUN/before" "$RUN/came" | wc -l)" = 0 ] ||
		fail "$1: the deciding packet or a later one came out"
	frames "$file" "$flow" >"$RUN/all"
	[ "$(wc -l <"$RUN/came")" -lt "$(wc -l <"$RUN/all")" ] || fail "$1: all of $flow came out"
	echo "   $1: frame $frame, $(summary '.inspection.quarantined[0].by')"
}

for rules in "" smb.rules; do
	note "attacks are stopped by ${rules:-invariants alone}"
	configure "$rules" false
	stopped derived-eternalblue-attempt-smb1flows.pcap 10
	stopped derived-ms17-010-framework-attempt-smb1flows.pcap 11
	stopped doublepulsar-backdoor-connect-win7.pcap 86
	stopped eternalromance-success-2008r2.pcap 160
	stopped wannacry.pcap 227
done
note "whom a worm tries gives it away earlier still"
configure "" true
stopped wannacry.pcap 227 0

# Each passes whole: what is dropped, if anything, is not for inspection.
ordinary=(
	suricata-verify/smb1-01/smb1.pcap
	suricata-verify/smb1-02/smb1_osx.pcap
	suricata-verify/smb2-03-rule/smb2.pcap
	suricata-verify/smb2-async/input.pcap
	suricata-verify/smb3-01/input.pcap
	suricata-verify/smb-named-pipe-ascii/input.pcap
	suricata-verify/bug-5162/input.pcap
	suricata-verify/bug-8629/input.pcap
	suricata-verify/dcerpc-smb-test-01/input.pcap
	zeek/dce-rpc/mapi.pcap
	zeek/dce-rpc/20-fids.pcap
	zeek/smb/raw_ntlm_in_smb.pcap
	zeek/smb/smb2_100_small_files.pcap
	zeek/smb/smb2readwrite.pcap
	zeek/smb/smb311.pcap
	zeek/smb/smb3_negotiate_context.pcap
	ndpi/smb_deletefile.pcap
	ndpi/smb_frags.pcap
)
for rules in "" smb.rules; do
	note "ordinary sessions pass, with ${rules:-invariants alone}"
	configure "$rules" true
	inspected=0
	for file in "${ordinary[@]}"; do
		[ -f "$captures/$file" ] || fail "$captures/$file is not there"
		replay "$captures/$file"
		wrong=$(summary '[.drops | to_entries[] | select(.key | test("^(inspect|stream|quarantined)"))]')
		[ "$wrong" = '[]' ] || fail "$file: $wrong; $(summary .inspection.alerts)"
		[ "$(summary .inspection.quarantined)" = '[]' ] || fail "$file: $(summary .inspection)"
		alerts=$(summary '[.inspection.alerts[] | .sid // .id]')
		[ "$alerts" = '[]' ] || echo "   $file: policy alerts $alerts"
		inspected=$((inspected + $(summary .inspection.status.inspected)))
	done
	[ "$inspected" -ge ${#ordinary[@]} ] || fail "only $inspected connections were inspected"
done

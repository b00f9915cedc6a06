#!/bin/bash
# peers.sh [--quick] [ROW...]: the switch and its peers side by side, one after the other in every
# round, and what they come to: medians and ratios with least and most, what each was limited by.
# BUILD is the build directory; ROUNDS (5) and SECONDS_EACH (3) how long is measured. Results go to
# bench/results/ (RESULTS). With --quick it is three rounds of a second of the first rows, writes
# nothing, and fails only where a ratio is less than half of what is to be reached. See README.md.
. "$(dirname "$0")/lib.bash"
for peer in vswitch testpmd ovs suricata hyperscan; do . "$BENCH/peer_$peer.sh"; done

QUICK=
[ "${1:-}" != --quick ] || { QUICK=yes && shift; }
ONLY=("$@")
ROUNDS=${ROUNDS:-$([ -n "$QUICK" ] && echo 3 || echo 5)}
EACH=${SECONDS_EACH:-$([ -n "$QUICK" ] && echo 1 || echo 3)}
RESULTS=${RESULTS:-$BENCH/results}
declare -A HAVE=()
: >"$RUN/measured"
: >"$RUN/rows"

# wanted ROW: of those that were asked for; of --quick, the first two.
wanted() {
	local row
	[ ${#ONLY[@]} -gt 0 ] || [ -z "$QUICK" ] || [[ $1 == l2-1 || $1 == fw-1000 ]] || return 1
	[ ${#ONLY[@]} -gt 0 ] || return 0
	for row in "${ONLY[@]}"; do [ "$row" != "$1" ] || return 0; done
	return 1
}

# have VARIANT: its peer is here; else a line says so, once.
have() {
	local peer=${1%%:*} why
	[ -z "${HAVE[$peer]:-}" ] || { [ "${HAVE[$peer]}" = yes ]; return; }
	HAVE[$peer]=yes
	why=$("${peer}_have") || { HAVE[$peer]=no && say "skipped: $why"; }
	[ "${HAVE[$peer]}" = no ] || say "$peer: $("${peer}_settings")"
	[ "${HAVE[$peer]}" = yes ]
}

# row ID TITLE UNIT OURS TARGET...: a target is PEER:CASE, or with what the ratio is to be, such as
# PEER:CASE>=0.75.
row() {
	local id=$1 title=$2 unit=$3 ours=$4
	shift 4
	jq -cn --arg id "$id" --arg title "$title" --arg unit "$unit" --arg ours "$ours" '{id: $id,
		title: $title, unit: $unit, ours: $ours, targets: [$ARGS.positional[] |
		capture("^(?<variant>[^<>]+)((?<op>[<>]=)(?<ratio>[0-9.]+))?$") |
		.ratio |= (if . then tonumber else null end)]}' --args "$@" >>"$RUN/rows"
}

# measure ROW VARIANT ROUND JQ OPTION...: one start, one run of the generator.
measure() {
	local id=$1 variant=$2 round=$3 value=$4
	shift 4
	start "$variant" "$(flows_of "$@")" || return
	generate "$@" >"$RUN/result" || {
		say "$id: no figure of $variant: $(tail -n 1 "$RUN/pktgen.log")"
		return
	}
	record "$id" "$variant" "$round" "$RUN/result" "$value"
}

# compare ID TITLE UNIT JQ OPTIONS OURS TARGET...: all variants in turn, each round the other way round.
compare() {
	local id=$1 title=$2 unit=$3 value=$4 options=$5 variants=() order variant round
	shift 5
	wanted "$id" || return 0
	row "$id" "$title" "$unit" "$@"
	for variant in "$@"; do
		variant=${variant%%[<>]*}
		have "$variant" && variants+=("$variant")
	done
	for ((round = 1; round <= ROUNDS; round++)); do
		order=("${variants[@]}")
		[ $((round % 2)) = 1 ] || mapfile -t order < <(printf '%s\n' "${variants[@]}" | tac)
		for variant in "${order[@]}"; do
			# The limit is that of one flow: it looks at none.
			# shellcheck disable=SC2086 # options are words
			measure "$id" "$variant" "$round" "$value" $options $([[ $variant != testpmd:* ]] || echo -f 1)
		done
	done
	say "measured: $title"
}

MPPS='.all.received_pps / 1e6'
run="-w $WARMUP -d $EACH"

# Half of what Open vSwitch forwards as fast as it goes, a port, into $RUN/rate. Not for a subshell:
# that would leave it running.
half_of_ovs() {
	start ovs:normal 1000 && generate -f 1000 -w $WARMUP -d "$EACH" >"$RUN/result" &&
		jq '.all.received_pps / 4 | floor' "$RUN/result" >"$RUN/rate"
}

rates() {
	compare l2-1 "L2, firewall off, 1 flow" Mpps "$MPPS" "-f 1 $run" vswitch:off "testpmd:io>=0.9" ovs:normal
	compare fw-1000 "firewall on, 1,000 flows" Mpps "$MPPS" "-f 1000 $run" vswitch:fw20 \
		"testpmd:io>=0.75" "ovs:normal>=1.25" "ovs:conntrack>=3.5"
	compare fw-100000 "firewall on, 100,000 flows" Mpps "$MPPS" "-f 100000 $run" vswitch:fw20 \
		"testpmd:io>=0.6" "ovs:normal>=1.6" "ovs:conntrack>=5"
	# Before the warm-up is over, all connections are to be there.
	compare fw-1000000 "firewall on, 1,000,000 flows" Mpps "$MPPS" "-f 1000000 -w 5 -d $EACH" \
		vswitch:fw20 "ovs:conntrack>=4"
	compare fw-1518 "firewall on, 1518 bytes, 1,000 flows" Mpps "$MPPS" "-f 1000 -s 1518 $run" vswitch:fw20 \
		"testpmd:io>=0.75" ovs:conntrack
	compare rules-10000 "10,000 rules instead of 20, established" Mpps "$MPPS" "-f 1000 $run" \
		vswitch:fw10000 "vswitch:fw20>=0.95"
}

others() {
	local storm="-t storm -1 -w 2 -d $((EACH > 2 ? 20 : EACH))"
	# The first second fills the table; what counts begins after the first has expired.
	compare new "new connections with expiry" "M/s" '.storm.delivered / .seconds / 1e6' "$storm" vswitch:storm \
		"ovs:storm>=3"
	compare new-10000 "10,000 rules instead of 20, new connections" "M/s" '.storm.delivered / .seconds / 1e6' \
		"$storm" vswitch:storm10000 "vswitch:storm>=0.7"
	if wanted latency && have ovs:normal && half_of_ovs; then
		compare latency "latency, p99, at half of OVS's highest rate" us '.latency.p99_ns / 1e3' \
			"-f 1000 -r $(<"$RUN/rate") -l $run" vswitch:fw20 "ovs:normal<=1"
	fi
	compare gso "64 KiB GSO frames" Gb/s '.all.received_bps / 1e9' "-t tcp -f 8 --tso 1448 -s 64000 -1 $run" \
		vswitch:fw20 "ovs:tso>=1"
	suricata_row
	hyperscan_row
}

# What it comes to, from rows and measurements: ratios of the rounds that both have.
summary() {
	jq -n --arg commit "$(git -C "$BENCH" describe --always --dirty 2>/dev/null)" \
		--arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		--arg date "$(date -u +%FT%TZ)" --arg load "$LOAD" \
		--slurpfile rows "$RUN/rows" --slurpfile measured "$RUN/measured" '
		def spread: map(select(. != null)) | sort | if length == 0 then null else
			{median: .[(length - 1) / 2 | floor], min: .[0], max: .[-1], n: length} end;
		def of($row; $variant): [$measured[] | select(.row == $row and .variant == $variant)];
		def seen($row; $variant): of($row; $variant) | {variant: $variant, value: (map(.value) | spread),
			cycles: (map(.cycles) | spread), own_cycles: (map(.own_cycles) | spread),
			headroom: (map(.headroom) | spread), loss: (map(.loss) | spread),
			limits: (map(.limit) | unique)};
		{commit: $commit, date: $date, cpu: $cpu, load_before: ($load | tonumber),
		rows: [$rows[] | . as $r | {id, title, unit, ours: seen($r.id; $r.ours),
			peers: [$r.targets[] | . as $t | seen($r.id; $t.variant) + {op: $t.op, reach: $t.ratio,
				ratio: ([of($r.id; $r.ours)[] as $a | of($r.id; $t.variant)[] |
					select(.round == $a.round and .value > 0) | $a.value / .value] | spread)}]}]}'
}

# The results as text; own is what the peer itself says of its cycles.
table() {
	jq -r 'def fixed: if . == null then "-" elif . >= 100 then round | tostring else . * 100 | round / 100 | tostring end;
		def line($unit): [.variant, (.value.median | fixed), $unit, ((.value.min | fixed) + ".." + (.value.max | fixed)),
			(.cycles.median | fixed), (.own_cycles.median | fixed),
			(if .headroom then (.headroom.median * 100 | round | tostring) + "%" else "-" end),
			(.limits | map(select(. != null)) | join(",") | if . == "" then "-" else . end)];
		"commit \(.commit), \(.cpu)", (.rows[] | . as $r | "", .title,
			(["", "median", "", "min..max", "cycles", "own", "headroom", "limited by", "ratio", "min..max", "to reach"] | @tsv),
			(.ours | line($r.unit) | @tsv),
			(.peers[] | line($r.unit) + [(.ratio.median | fixed), ((.ratio.min | fixed) + ".." + (.ratio.max | fixed)),
				(if .reach then "\(.op) \(.reach)" else "-" end)] | @tsv))' "$1" | column -t -s $'\t' -L 2>/dev/null
}

# Half of what is to be reached is missed, or there is no figure where there should be one.
missed_by_half() {
	jq -r '.rows[] | .title as $title | .peers[] | select(.reach and .value) |
		select(.ratio == null or (if .op == ">=" then .ratio.median < .reach / 2 else .ratio.median > .reach * 2 end)) |
		"\($title): \(.ratio.median // "nothing") of \(.variant), to reach \(.op) \(.reach)"' "$1"
}

[ "$(id -u)" = 0 ] || { say "side by side with peers: skipped: hugepages need root" && exit 0; }
[ "$(nproc)" -ge 2 ] || { say "side by side with peers: skipped: two cores needed" && exit 0; }
take_hugepages || exit 0
LOAD=$(cut -d' ' -f1 /proc/loadavg)
[ "${LOAD%.*}" -lt 1 ] || say "warning: other programs are at work (load $LOAD): ratios are of little worth"
rates
others
stop
summary >"$RUN/summary.json" || fail "no summary"
table "$RUN/summary.json" >"$RUN/summary.txt"
cat "$RUN/summary.txt" >&3
if [ -n "$QUICK" ]; then
	missed=$(missed_by_half "$RUN/summary.json")
	[ -z "$missed" ] || { say "less than half of what is to be reached: $missed" && exit 1; }
	exit 0
fi
name=$RESULTS/$(date -u +%Y-%m-%d)-$(jq -r .commit "$RUN/summary.json")
mkdir -p "$RESULTS" && cp "$RUN/summary.json" "$name.json" && cp "$RUN/summary.txt" "$name.txt" &&
	say "written: $name.json and .txt"

#!/bin/bash
# peers.sh [--quick] [ROW...]: the switch and its peers side by side, one after the other in every
# round, and what they come to: medians and ratios with least and most, what each was limited by.
# BUILD is the build directory; ROUNDS (5) and SECONDS_EACH (3) how long is measured. Results go to
# bench/results/ (RESULTS). With --quick it is two rounds of a second of a few rows, writes
# nothing, and fails only where a ratio is less than half of what is to be reached, three times in a row.
# See README.md.
. "$(dirname "$0")/lib.bash"

# Every row, in its turn: row_ID() of a rows_*.bash measures it, with _ for each -.
ROWS=(l2-1 fw-1000 fw-100000 fw-1000000 fw-1518 rules-10000 gso new new-10000 latency
	ports-64 uplink blocked smb-file smb-file-write smb-scan smb-read smb-write smb-write-tso mixed mixed-bytes
	workers smb-worker smb-worker-write smb-worker-scan smb-worker-scan-read)
QUICK_ROWS=(l2-1 fw-1000 workers smb-worker-scan)
# Those that do without hugepages, and without root.
PLAIN_ROWS=(smb-file smb-file-write smb-scan workers smb-worker smb-worker-write smb-worker-scan
	smb-worker-scan-read)

QUICK=
[ "${1:-}" != --quick ] || { QUICK=yes && shift; }
[ -z "$QUICK" ] || ROWS=("${QUICK_ROWS[@]}")
for id in "$@"; do
	[[ " ${ROWS[*]} " == *" $id "* ]] || fail "no row $id: there are ${ROWS[*]}"
done
[ $# = 0 ] || ROWS=("$@")
ROUNDS=${ROUNDS:-$([ -n "$QUICK" ] && echo 2 || echo 5)}
EACH=${SECONDS_EACH:-$([ -n "$QUICK" ] && echo 1 || echo 3)}
RESULTS=${RESULTS:-$BENCH/results}
for file in "$BENCH"/{compare,report}.bash "$BENCH"/peer_*.sh "$BENCH"/rows_*.bash; do . "$file"; done

[ "$(nproc)" -ge 2 ] || { say "side by side with peers: skipped: two cores needed" && exit 0; }
take_hugepages || mapfile -t ROWS < <(printf '%s\n' "${ROWS[@]}" | grep -Fxf <(printf '%s\n' "${PLAIN_ROWS[@]}"))
[ ${#ROWS[@]} -gt 0 ] || exit 0
LOAD=$(cut -d' ' -f1 /proc/loadavg)
[ "${LOAD%.*}" -lt 1 ] || say "warning: other programs are at work (load $LOAD): ratios are of little worth"
# The switch's core is for what forwards: it goes there by itself, all else stays here.
taskset -cp $GENERATOR_CORE $$ >/dev/null || fail "no core $GENERATOR_CORE"

# All rows, and what they come to: in $RUN/summary.json, and for people to read.
measure_rows() {
	local id
	: >"$RUN/measured"
	: >"$RUN/rows"
	for id in "${ROWS[@]}"; do "row_${id//-/_}"; done
	stop
	summary >"$RUN/summary.json" || fail "no summary"
	table "$RUN/summary.json" >"$RUN/summary.txt"
	cat "$RUN/summary.txt" >&3
}

# A machine that others use, too, may have a bad minute, but not several in a row.
if [ -n "$QUICK" ]; then
	for attempt in 1 2 3; do
		measure_rows
		missed=$(missed_by_half "$RUN/summary.json")
		[ -n "$missed" ] || exit 0
		say "less than half of what is to be reached (attempt $attempt of 3): $missed"
	done
	exit 1
fi
measure_rows
name=$RESULTS/$(date -u +%Y-%m-%d)-$(jq -r .commit "$RUN/summary.json")
mkdir -p "$RESULTS" && cp "$RUN/summary.json" "$name.json" && cp "$RUN/summary.txt" "$name.txt" &&
	say "written: $name.json and .txt"

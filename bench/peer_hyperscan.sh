# Raw Hyperscan: detect_bench feeds the same bytes in the same segments to inspection, and to the scan
# and a copy alone. Random payload in segments of an MTU.
hyperscan_have() { [ -x "$BUILD/bench/detect_bench" ] || { echo "no detect_bench in $BUILD"; return 1; }; }
hyperscan_settings() { echo "streams of the same databases, scan and copy alone"; }

hyperscan_row() {
	local round
	wanted smb-scan && have hyperscan:scan || return 0
	stop
	row smb-scan "SMB2 writes inspected, beside the scan alone" B/cycle vswitch:detect "hyperscan:scan>=0.5"
	for ((round = 1; round <= ROUNDS; round++)); do
		taskset -c $SWITCH_CORE "$BUILD/bench/detect_bench" "${SMB_RULES:-$BENCH/../rules/smb.rules}" >"$RUN/detect" ||
			fail "detect_bench: $(<"$RUN/detect")"
		sed -n 's/^writes of random bytes *in segments of *1448 *\([0-9.]*\) cycles.*alone *\([0-9.]*\)$/\1 \2/p' \
			"$RUN/detect" | head -n 1 | jq -Rc --argjson round "$round" 'split(" ") | map(tonumber) |
				{row: "smb-scan", round: $round} +
				({variant: "vswitch:detect", value: (1 / .[0])}, {variant: "hyperscan:scan", value: (1 / .[1])})' \
			>>"$RUN/measured"
	done
}

# Raw Hyperscan: detect_bench feeds the same bytes in the same segments to inspection, and to the scan
# and a copy alone. Random payload in segments of 1,448 bytes, of which cycles are.
hyperscan_have() { [ -x "$BUILD/bench/detect_bench" ] || { echo "no detect_bench in $BUILD"; return 1; }; }
hyperscan_settings() { echo "streams of the same databases, scan and copy alone"; }

# One run has both figures.
hyperscan_measure() { # ID VARIANT ROUND
	[ "$2" = vswitch:detect ] || return 0
	taskset -c $SWITCH_CORE "$BUILD/bench/detect_bench" "$SMB_RULES" >"$RUN/detect" ||
		fail "detect_bench: $(<"$RUN/detect")"
	sed -n 's/^writes of random bytes *in segments of *1448 *\([0-9.]*\) cycles.*alone *\([0-9.]*\)$/\1 \2/p' \
		"$RUN/detect" | head -n 1 | jq -Rc --argjson round "$3" 'split(" ") | map(tonumber) |
			{row: "smb-scan", round: $round} +
			({variant: "vswitch:detect", value: (1 / .[0]), cycles: (1448 * .[0])},
			{variant: "hyperscan:scan", value: (1 / .[1]), cycles: (1448 * .[1])})' \
		>>"$RUN/measured"
}

# What it comes to (peers.sh): from rows and measurements, one JSON object a line each, to medians and
# ratios, as JSON and as text.

# Ratios are of rounds that both have.
summary() {
	jq -n --arg commit "$(git -C "$BENCH" describe --always --dirty 2>/dev/null)" \
		--arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		--arg date "$(date -u +%FT%TZ)" --arg load "$LOAD" --arg rounds "$ROUNDS" --arg seconds "$EACH" \
		--slurpfile rows "$RUN/rows" --slurpfile measured "$RUN/measured" '
		def spread: map(select(. != null)) | sort | if length == 0 then null else
			{median: .[(length - 1) / 2 | floor], min: .[0], max: .[-1], n: length} end;
		def of($row; $variant): [$measured[] | select(.row == $row and .variant == $variant)];
		def seen($row; $target): of($row; $target.variant) | {variant: $target.variant,
			value: (map(.value) | spread), cycles: (map(.cycles) | spread),
			own_cycles: (map(.own_cycles) | spread), headroom: (map(.headroom) | spread),
			loss: (map(.loss) | spread), distance_ns: (map(.distance_ns) | spread), limits: (map(.limit) | unique),
			op: $target.op, reach: $target.reach};
		{commit: $commit, date: $date, cpu: $cpu, load_before: ($load | tonumber),
		rounds: ($rounds | tonumber), seconds_each: ($seconds | tonumber),
		rows: [$rows[] | . as $r | {id, title, unit, ours: seen($r.id; $r.ours),
			peers: [$r.targets[] | . as $t | seen($r.id; $t) + {
				ratio: ([of($r.id; $r.ours.variant)[] as $a | of($r.id; $t.variant)[] |
					select(.round == $a.round and .value > 0) | $a.value / .value] | spread)}]}]}'
}

# One row of the results as lines with tabs; own is what the peer itself says of its cycles.
row_lines() { # FILE INDEX
	jq -r --argjson i "$2" 'def fixed: if . == null then "-" elif . >= 100 then round | tostring
			else . * 100 | round / 100 | tostring end;
		def range: if . == null then "-" else (.min | fixed) + ".." + (.max | fixed) end;
		def percent: if . == null then "-" else "\(. * 1000 | round / 10)%" end;
		def reach: if .reach != null then "\(.op) \(.reach)" else "-" end;
		def line($unit): [.variant, (.value.median | fixed), $unit, (.value | range),
			(.cycles.median | fixed), (.own_cycles.median | fixed), (.loss.median | percent),
			(.distance_ns.median | fixed), (.headroom.median | percent),
			(.limits | map(select(. != null)) | join(",") | if . == "" then "-" else . end)];
		.rows[$i] | . as $r | ["variant", "median", "", "min..max", "cycles", "own", "lost", "apart", "headroom",
			"limited by", "ratio", "min..max", "to reach"],
		(.ours | line($r.unit) + ["-", "-", reach]),
		(.peers[] | line($r.unit) + [(.ratio.median | fixed), (.ratio | range), reach]) | @tsv' "$1"
}

# The results as text.
table() {
	local i
	jq -r '"commit \(.commit), \(.date), \(.cpu), \(.rounds) rounds of \(.seconds_each) s"' "$1"
	for ((i = 0; i < $(jq '.rows | length' "$1"); i++)); do
		jq -r --argjson i $i '.rows[$i] | "", "\(.id): \(.title)"' "$1"
		row_lines "$1" $i | column -t -s $'\t' -o '  '
	done
}

# Half of what is to be reached is missed in the best round, since other work on the machine makes a round
# worse and never better; or there is no figure where there should be one.
missed_by_half() {
	jq -r '.rows[] | .title as $title | .peers[] | select(.reach and .value) |
		select(.ratio == null or (if .op == ">=" then .ratio.max < .reach / 2 else .ratio.min > .reach * 2 end)) |
		"\($title): \(.ratio.median // "nothing") (\(.ratio.min)..\(.ratio.max)) of \(.variant), to reach \(.op) \(.reach)"' "$1"
}

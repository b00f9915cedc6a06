# Whole workers in this process, with guests that are made up: no vhost-user and no generator beside them.
# inproc: cases are names of what workers_bench and inspect_bench print.
inproc_have() { [ -x "$BUILD/bench/inspect_bench" ] || { echo "no inspect_bench in $BUILD"; return 1; }; }
inproc_settings() { echo "workers_bench and inspect_bench, guests that make and take packets in place of vhost"; }

# inproc_record ROW VARIANT ROUND FILE JQ: what JQ makes of one line of figures: value, and cycles.
inproc_record() {
	jq -c --arg row "$1" --arg variant "$2" --argjson round "$3" \
		"{row: \$row, variant: \$variant, round: \$round} + ($5)" "$4" >>"$RUN/measured" ||
		say "$1: no figures of $2"
}

# UDP of 64 bytes through two workers, and through one of them. One run has all figures.
row_workers() {
	local round one='{value: (.one / 1e6), cycles: .one_cycles}'
	row workers-home "two workers with a network each, 1,000 flows" Mpps inproc:home "inproc:one>=1.9"
	row workers-handed "two workers in one network, half of the flows handed over" Mpps inproc:handed \
		"inproc:one>=1.5"
	for ((round = 1; round <= ROUNDS; round++)); do
		await_near_cores
		taskset -c $SWITCH_CORE,$GENERATOR_CORE "$BUILD/bench/workers_bench" -j -r 1 >"$RUN/workers" 2>"$RUN/inproc.log" ||
			fail "workers_bench: $(<"$RUN/inproc.log")"
		# Where one of two workers stands still the other soon does, too: that says nothing about them.
		jq -e '.away <= 0.1' "$RUN/workers" >/dev/null || {
			say "workers: no figures of round $round: other programs had $(jq '.away * 100 | round' "$RUN/workers") % of the cores"
			continue
		}
		inproc_record workers-home inproc:home "$round" "$RUN/workers" '{value: (.home / 1e6), cycles: .home_cycles}'
		inproc_record workers-handed inproc:handed "$round" "$RUN/workers" \
			'{value: (.handed / 1e6), cycles: .handed_cycles, loss: .lost}'
		inproc_record workers-home inproc:one "$round" "$RUN/workers" "$one"
		inproc_record workers-handed inproc:one "$round" "$RUN/workers" "$one"
	done
	say "measured: workers"
}

# inspect NUMBER: a run of that case into $RUN/inspected; in it all payload is inspected, and the marker found.
inspect() {
	taskset -c $SWITCH_CORE,$GENERATOR_CORE "$BUILD/bench/inspect_bench" -j -r 1 -n "$1" "$RUN/smb.rules" \
		>"$RUN/inspected" 2>"$RUN/inproc.log" || fail "inspect_bench: $(<"$RUN/inproc.log")"
}
WORKER='{value: .gbps, cycles: .cycles_per_packet}'

inproc_worker() { # ID ROUND CASE
	inspect "$3"
	inproc_record "$1" inproc:worker "$2" "$RUN/inspected" "$WORKER"
}

# Suricata reads the same bytes in the same segments out of a file, and has to find the same marker.
inproc_suricata() { # ID ROUND
	rm -f "$RUN/logs/eve.json"
	suricata_measure "$1" suricata:file "$2"
	# Once in the small file, and once in the large one.
	[ "$(grep -c "\"signature_id\":$MARKER_SID" "$RUN/logs/eve.json")" = 2 ] || fail "Suricata has not found the marker"
}

smb_worker() { # ID read|write CASE
	local round
	suricata_prepare "$2"
	cp "$RUN/smb.rules" "$RUN/theirs.rules"
	echo "alert smb any any -> any any (msg:\"marker\"; content:\"$MARKER\"; sid:$MARKER_SID; rev:1;)" \
		>>"$RUN/theirs.rules"
	"$BUILD/bench/smb_capture" "$RUN/small.pcap" "$2" 1 "$MARKER" >"$RUN/small.pcap.bytes" &&
		"$BUILD/bench/smb_capture" "$RUN/large.pcap" "$2" "$SMB_MIB" "$MARKER" >"$RUN/large.pcap.bytes" ||
		fail "no capture"
	row "$1" "SMB2 ${2}s inspected by a worker, Suricata reads them out of a file, ${SMB_RULES##*/}" Gb/s \
		inproc:worker "suricata:file>=3"
	for ((round = 1; round <= ROUNDS; round++)); do
		inproc_worker "$1" "$round" "$3"
		! have suricata:file || inproc_suricata "$1" "$round"
	done
	rm -f "$RUN/large.pcap"
	say "measured: $1"
}
row_smb_worker() { smb_worker smb-worker read 0; }
row_smb_worker_write() { smb_worker smb-worker-write write 2; }

# Beside the scan alone of the same bytes in the same pieces, and zeros beside random bytes. The scan
# takes its bytes where they lie, so what making packets of them costs is left out of the first. What is to be
# reached is of Emerging Threats' rules: with few patterns next to nothing is left to scan.
smb_worker_scan() { # ID read|write CASE
	local round alone=hyperscan:alone worker='{value: (1 / (.cycles_per_byte - .source_per_byte)), cycles: .cycles_per_packet}'
	loadable_rules >"$RUN/smb.rules" || fail "rules check: $(<"$RUN/check")"
	[ "$SMB_RULES" != "$ET_RULES" ] || alone+=">=0.5"
	row "$1" "SMB2 ${2}s inspected by a worker, beside the scan alone, ${SMB_RULES##*/}" B/cycle inproc:worker "$alone"
	row "$1-zeros" "SMB2 ${2}s of zeros inspected by a worker, beside random ones" Gb/s \
		inproc:zeros "inproc:worker>=0.5"
	for ((round = 1; round <= ROUNDS; round++)); do
		inspect "$3"
		inproc_record "$1" inproc:worker "$round" "$RUN/inspected" "$worker"
		inproc_record "$1" hyperscan:alone "$round" "$RUN/inspected" '{value: (1 / .scan_per_byte)}'
		inproc_record "$1-zeros" inproc:worker "$round" "$RUN/inspected" "$WORKER"
		inspect $(($3 + 1))
		inproc_record "$1-zeros" inproc:zeros "$round" "$RUN/inspected" "$WORKER"
	done
	say "measured: $1"
}
row_smb_worker_scan() { smb_worker_scan smb-worker-scan write 2; }
row_smb_worker_scan_read() { smb_worker_scan smb-worker-scan-read read 0; }

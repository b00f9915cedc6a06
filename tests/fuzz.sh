#!/bin/bash
# fuzz.sh BUILD SECONDS NAME...: runs those fuzz targets in BUILD/tests for so long each, two at a
# time, beginning with their seeds in tests/fuzz/corpus and with what earlier runs found in
# BUILD/corpus. An input that breaks one is kept in BUILD/found and named; then the exit status is 1.
set -u
cd "$(dirname "$0")/.." || exit 1
export BUILD=$1 SECONDS_EACH=$2
shift 2
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
mkdir -p "$BUILD/found" "$BUILD/corpus/smb"
# SMB's connections in public captures are seeds as well, where those are at hand.
captures=${SMB_CAPTURES:-../shared/captures}
if [ -d "$captures" ]; then
	find "$captures" -name '*.pcap' -print0 | sort -z |
		xargs -0 "$BUILD/tests/tools/capture_seeds" "$BUILD/corpus/smb" || exit 1
fi

one() {
	local name=$1 log=$BUILD/fuzz_$1.log also=()
	[ "$name" = detect ] && also=(tests/fuzz/corpus/smb "$BUILD/corpus/smb") # of the same form
	mkdir -p "$BUILD/corpus/$name"
	if "$BUILD/tests/fuzz_$name" -max_total_time="$SECONDS_EACH" -timeout=10 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$BUILD/found/$name-" \
		"$BUILD/corpus/$name" "tests/fuzz/corpus/$name" "${also[@]}" >"$log" 2>&1; then
		echo "ok   $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
			"$(find "$BUILD/corpus/$name" -type f | wc -l) inputs kept"
		return
	fi
	echo "FAIL $name: see $log"
	grep -E 'ERROR|runtime error|Test unit written' "$log" | sed 's/^/    /'
	return 1
}
export -f one
printf '%s\n' "$@" | xargs -P 2 -I {} bash -c 'one {}'

#!/bin/bash
# fuzz.sh BUILD SECONDS: runs every fuzz target in BUILD/tests for so long, beginning with its seeds
# in tests/fuzz/corpus and with what earlier runs found in BUILD/corpus. An input that breaks one is
# kept in BUILD/found and named; then the exit status is 1.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1 seconds=$2 status=0
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
mkdir -p "$build/found" "$build/corpus/smb"
# SMB's connections in public captures are seeds as well, where those are at hand.
captures=${SMB_CAPTURES:-../shared/captures}
if [ -d "$captures" ]; then
	find "$captures" -name '*.pcap' -print0 | sort -z |
		xargs -0 "$build/tests/tools/capture_seeds" "$build/corpus/smb" || exit 1
fi
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	log=$build/fuzz_$name.log
	mkdir -p "$build/corpus/$name"
	if "$build/tests/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$build/found/$name-" \
		"$build/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
		echo "ok   $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs," \
			"$(find "$build/corpus/$name" -type f | wc -l) inputs kept"
	else
		echo "FAIL $name: see $log"
		grep -E 'ERROR|runtime error|Test unit written' "$log" | sed 's/^/    /'
		status=1
	fi
done
exit $status

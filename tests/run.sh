#!/bin/bash
# run.sh [unit|system|long|all]: builds and runs the tests; ends with "N passed, N failed, N skipped"
# and exits with 1 where any failed. Run by the Makefile, which exports BUILD and MAKE.
#
# A unit test is a cmocka program (tests/unit/test_*.c) and runs twice: as it is, and built with
# ASan and UBSan; exit 77 as below. A system test is a script (tests/system/*.sh) around real programs:
# exit 0 passed, 77 skipped with the reason in its last line. Two tests run at a time, as each takes one
# core or waits; a system test that can't have another beside it says "# Runs alone: why". `long` runs
# those in tests/system/long, which no other does. Every test has a time limit.
set -u
cd "$(dirname "$0")/.." || exit 1
what=${1:-all}
build=${BUILD:-build}
make=${MAKE:-make}
unit_limit=300
system_limit=300
long_limit=1800
logs=$(mktemp -d) || exit 1
export logs unit_limit build
trap 'rm -rf "$logs"' EXIT

# Counts and failures are kept in files, since tests run in processes of their own.
counted() { echo "$1 $2 $3" >>"$logs/counts"; } # PASSED FAILED SKIPPED
# said: standard input to standard output, whole.
said() { flock "$logs" cat; }
# failed COUNT NAME LOG [LINES]
failed() {
	counted 0 "$1" 0
	echo "failed: $2" >>"$logs/failures"
	{ echo "FAIL $2" && tail -n "${4:-60}" "$3" | sed 's/^/    /'; } | said
}

# step NAME COMMAND...: one check that is not a test program of its own.
step() {
	local name=$1 log
	log=$(mktemp -p "$logs")
	shift
	if "$@" >"$log" 2>&1; then
		echo "ok   $name" | said
		counted 1 0 0
	else
		failed 1 "$name" "$log"
	fi
}

# unit PROGRAM LABEL: with cmocka's own counts, so that one program is as many tests as it has.
unit() {
	local program=$1 label=$2 log begin=$SECONDS status ok bad out
	log=$(mktemp -p "$logs")
	timeout -k 10 "$unit_limit" "$program" >"$log" 2>&1
	status=$?
	ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | bc)
	out=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | bc)
	bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | bc)
	counted "${ok:-0}" 0 "${out:-0}"
	if [ "$status" = 0 ] && [ "${ok:-0}" != 0 ]; then
		echo "ok   $label (${ok} tests, $((SECONDS - begin)) s)" | said
	elif [ "$status" = 0 ] && [ "${out:-0}" != 0 ]; then
		echo "skip $label" | said
	elif [ "$status" = 77 ]; then
		echo "skip $label: $(tail -n 1 "$log")" | said
		counted 0 0 1
	else
		failed $((${bad:-0} > 1 ? bad : 1)) "$label (exit $status)" "$log"
	fi
}
# system SCRIPT LIMIT
system() {
	local script=$1 name log begin=$SECONDS status
	name=$(basename "$script" .sh)
	log=$(mktemp -p "$logs")
	VSWITCH_BUILD=$PWD/$build timeout -k 30 "$2" bash "$script" >"$log" 2>&1 </dev/null
	status=$?
	case $status in
	0) counted 1 0 0 && echo "ok   $name ($((SECONDS - begin)) s)" | said ;;
	77) counted 0 0 1 && echo "skip $name: $(tail -n 1 "$log")" | said ;;
	*) failed 1 "$name (exit $status)" "$log" 80 ;;
	esac
}
export -f counted said failed step unit system

# jobs_in LANES: runs them, that many at a time. A line a job: what it does, its arguments behind it,
# divided by tabs.
jobs_in() {
	# shellcheck disable=SC2016
	xargs -d '\n' -P "$1" -n 1 bash -c 'IFS=$'\''\t'\'' read -ra job <<<"$1"; "${job[@]}"' bash
}

# system_jobs yes|no: those that say in a line of their own why they run alone, or the others.
system_jobs() {
	local script alone
	for script in tests/system/*.sh; do
		alone=no
		! grep -q '^# Runs alone: ' "$script" || alone=yes
		[ "$alone" != "$1" ] || printf 'system\t%s\t%s\n' "$script" "$system_limit"
	done
}

unit_jobs() {
	local source name
	for source in tests/unit/test_*.c; do
		name=$(basename "$source" .c)
		[ -x "$build/tests/$name" ] && printf 'unit\t%s\t%s\n' "$build/tests/$name" "$name"
		[ -x "$build/san/tests/$name" ] &&
			printf 'unit\t%s\t%s\n' "$build/san/tests/$name" "$name (sanitizers)"
	done
	for source in tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		name=${name#fuzz_}
		printf 'step\tseeds of fuzz_%s (sanitizers)\t%s' "$name" "$build/san/tests/seeds_$name"
		printf '\t%s' "tests/fuzz/corpus/$name"/*
		printf '\n'
	done
}

echo "Building"
step "build" $make --no-print-directory -j2 BUILD="$build" tests
if [ "$what" = all ] || [ "$what" = unit ]; then
	step "build with sanitizers" $make --no-print-directory -j2 BUILD="$build/san" SAN=1 CFLAGS="-O1 -g" tests
fi
if [ "$what" = all ]; then
	step "build with clang" $make --no-print-directory -j2 BUILD="$build/clang" CC=clang programs
	step "lint" tests/lint.sh
fi

if [ "$what" = all ] || [ "$what" = unit ]; then
	# DPDK keeps memory to its end, which is no leak of ours; what we allocate is.
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
	export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
	export UBSAN_OPTIONS=print_stacktrace=1
	unit_jobs | jobs_in 2
fi
if [ "$what" = all ] || [ "$what" = system ]; then
	system_jobs no | jobs_in 2
	system_jobs yes | jobs_in 1
fi
if [ "$what" = long ]; then
	for script in tests/system/long/*.sh; do
		system "$script" "$long_limit"
	done
fi

touch "$logs/failures"
cat "$logs/failures"
awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$logs/counts"
[ ! -s "$logs/failures" ]

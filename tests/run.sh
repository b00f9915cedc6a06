#!/bin/bash
# run.sh [unit|system|long|all]: builds and runs the tests; ends with "N passed, N failed, N skipped" and
# exits with 1 where any failed. Run by the Makefile, which exports BUILD and MAKE.
#
# A unit test is a cmocka program (tests/unit/test_*.c) and runs twice: as it is, and built with
# ASan and UBSan; exit 77 as below. A system test is a script (tests/system/*.sh) around real programs: exit 0 passed,
# 77 skipped with the reason in its last line. `long` runs those in tests/system/long, which no other
# does. Every test has a time limit.
set -u
cd "$(dirname "$0")/.." || exit 1
what=${1:-all}
build=${BUILD:-build}
make=${MAKE:-make}
unit_limit=240
system_limit=300
long_limit=1800
passed=0 failed=0 skipped=0
failures=()
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT

pass() { passed=$((passed + 1)); }
fail() {
	failed=$((failed + 1))
	failures+=("$1")
	echo "FAIL $1"
	[ -n "${2:-}" ] && tail -n "${3:-60}" "$2" | sed 's/^/    /'
}

# step NAME COMMAND...: one check that is not a test program of its own.
step() {
	local name=$1 log=$logs/step
	shift
	if "$@" >"$log" 2>&1; then
		echo "ok   $name"
		pass
	else
		fail "$name" "$log"
	fi
}

# cmocka's own counts, so that one program is as many tests as it has.
unit() {
	local program=$1 label=$2 log=$logs/unit begin=$SECONDS status ok bad out
	timeout -k 10 "$unit_limit" "$program" >"$log" 2>&1
	status=$?
	ok=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | bc)
	out=$(sed -n 's/^\[  SKIPPED \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | bc)
	bad=$(sed -n 's/^\[  FAILED  \] \([0-9]*\) test.*/\1/p' "$log" | paste -sd+ | bc)
	passed=$((passed + ${ok:-0}))
	skipped=$((skipped + ${out:-0}))
	if [ "$status" = 0 ] && [ "${ok:-0}" != 0 ]; then
		echo "ok   $label (${ok} tests, $((SECONDS - begin)) s)"
	elif [ "$status" = 0 ] && [ "${out:-0}" != 0 ]; then
		echo "skip $label"
	elif [ "$status" = 77 ]; then
		echo "skip $label: $(tail -n 1 "$log")"
		skipped=$((skipped + 1))
	else
		fail "$label (exit $status)" "$log"
		[ "${bad:-0}" -gt 1 ] && failed=$((failed + bad - 1))
	fi
}

# system SCRIPT LIMIT
system() {
	local script=$1 name log=$logs/system begin=$SECONDS status
	name=$(basename "$script" .sh)
	VSWITCH_BUILD=$PWD/$build timeout -k 30 "$2" bash "$script" >"$log" 2>&1 </dev/null
	status=$?
	case $status in
	0) echo "ok   $name ($((SECONDS - begin)) s)" && pass ;;
	77)
		echo "skip $name: $(tail -n 1 "$log")"
		skipped=$((skipped + 1))
		;;
	*) fail "$name (exit $status)" "$log" 80 ;;
	esac
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
	for source in tests/unit/test_*.c; do
		name=$(basename "$source" .c)
		[ -x "$build/tests/$name" ] && unit "$build/tests/$name" "$name"
		[ -x "$build/san/tests/$name" ] && unit "$build/san/tests/$name" "$name (sanitizers)"
	done
	for source in tests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		name=${name#fuzz_}
		step "seeds of fuzz_$name (sanitizers)" "$build/san/tests/seeds_$name" \
			"tests/fuzz/corpus/$name"/*
	done
fi
if [ "$what" = all ] || [ "$what" = system ]; then
	for script in tests/system/*.sh; do
		system "$script" "$system_limit"
	done
fi
if [ "$what" = long ]; then
	for script in tests/system/long/*.sh; do
		system "$script" "$long_limit"
	done
fi

for name in "${failures[@]}"; do
	echo "failed: $name"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]

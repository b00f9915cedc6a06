#!/bin/bash
# Format and static checks over what git tracks; prints what is wrong and exits with 1.
set -u
cd "$(dirname "$0")/.." || exit 1
mapfile -t sources < <(git ls-files -co --exclude-standard '*.c' '*.h')
mapfile -t scripts < <(git ls-files -co --exclude-standard '*.sh' '.ci/run')
status=0

clang-format --dry-run --Werror "${sources[@]}" 2>&1 | grep -E 'error|warning' | head -n 40
[ "${PIPESTATUS[0]}" = 0 ] || status=1

cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
	--suppressions-list=tests/cppcheck.supp -j2 -Idataplane -Idrivers -Ictl -Irules -Itests \
	dataplane drivers ctl rules || status=1

for script in "${scripts[@]}"; do
	bash -n "$script" || status=1
done
exit $status

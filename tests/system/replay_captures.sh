#!/bin/bash
# Every capture under shared/captures (some 1,200, hostile and damaged ones among them) through the
# whole data path, inspection with the shipped rules included, as the sanitizer build, where each frame lies in a heap buffer of its own size:
# no crash, no finding, no leak, and the ledger adds up. One that is no capture is refused.
# Catalogue: 13, 14 (as far as frames go), 30, 31, 32, 70, 72; issue item 3.
# Runs alone: it uses both cores.
. "$(dirname "$0")/lib.bash"

captures=${VSWITCH_SHARED:-$TESTS/../../shared}/captures
[ -d "$captures" ] || skip "no captures at $captures (set VSWITCH_SHARED)"
[ -x "$VSWITCH_BUILD/san/vswitchd" ] || skip "no sanitizer build at $VSWITCH_BUILD/san"

export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$TESTS/lsan.supp:print_suppressions=0
export SANITIZED=$VSWITCH_BUILD/san/vswitchd RUN

# In mode detect everything goes on being looked at, whatever is found.
export CONFIG=$RUN/replay.yaml
cat >"$CONFIG" <<-END
	vswitch: {hugepages: no, inspected: 512, inspection-memory: 64, rules: ${TESTS%/tests}/rules}
	networks: [{name: replay}]
	ports:
	  - {name: opener, network: replay, kernel: {interface: opener}}
	  - {name: peer, network: replay, kernel: {interface: peer}}
	inspection: [{tenant: replay, mode: detect, rules: [smb.rules]}]
END

# one FILE: its summary goes to $RUN/summaries.PID; prints what is wrong, or that it was refused.
one() {
	local file=$1 err=$RUN/err.$$ status=0
	timeout -k 5 60 "$SANITIZED" -c "$CONFIG" --replay "$file" >>"$RUN/summaries.$$" 2>"$err" || status=$?
	if [ -s "$err" ] && grep -qE 'Sanitizer|runtime error' "$err"; then
		echo "finding in $file" && cat "$err"
	elif [ "$status" = 2 ] && grep -qF "$file" "$err"; then
		echo "refused: $(<"$err")"
	elif [ "$status" != 0 ]; then
		echo "exit $status for $file" && cat "$err"
	fi
}
export -f one

find "$captures" -type f -name '*.pcap' -o -name '*.pcapng' -o -name '*.cap' -o -name '*.trace' \
	-o -name '*.pcap.gz' >"$RUN/list"
total=$(wc -l <"$RUN/list")
[ "$total" -ge 1000 ] || fail "only $total captures at $captures"
begin=$SECONDS
# The EAL loads every driver that Debian has, which takes longer than most replays: in a mount
# namespace of its own, the replays find only the one that they need, and those that are linked.
ring=$(find /usr/lib -path '*/dpdk/pmds-*/librte_mempool_ring.so.*' -print -quit)
drivers=$(dirname "$ring")
mkdir "$RUN/drivers"
[ -z "$ring" ] || cp -L "$ring" "$RUN/drivers"
ldd "$SANITIZED" | sed -n 's#.* => \(/.*librte_[^ ]*\) .*#\1#p' >"$RUN/linked"
while read -r library; do
	[[ $(realpath "$library") != "$drivers"/* ]] || cp -L "$library" "$RUN/drivers"
done <"$RUN/linked"
# More at once than there are cores: a replay also waits.
# shellcheck disable=SC2016
unshare --mount bash -c '[ "$1" = . ] || mount --bind "$RUN/drivers" "$1" || exit 1
	xargs -a "$RUN/list" -d "\n" -P 4 -n 50 bash -c "for file; do one \"\$file\"; done" bash' \
	bash "$drivers" >"$RUN/results" 2>&1
cat "$RUN/results"
jq -r 'if .ledger.adds_up and .lost == 0 and .packets_in == .capture.frames
	then "ok \(.packets_in)" else "wrong summary: \(tojson)" end' "$RUN"/summaries.* >"$RUN/checked"
inspected=$(jq -s '[.[].inspection.status.inspected // 0] | add' "$RUN"/summaries.*)
good=$(grep -c '^ok ' "$RUN/checked")
refused=$(grep -c '^refused: ' "$RUN/results")
packets=$(sed -n 's/^ok //p' "$RUN/checked" | paste -sd+ | bc)
note "$total captures in $((SECONDS - begin)) s: $good with $packets packets, $refused refused; $inspected connections inspected"
grep -v '^ok ' "$RUN/checked"
[ "$((good + refused))" = "$total" ] || fail "$((total - good - refused)) captures went wrong"
[ "$inspected" -ge 100 ] || fail "only $inspected connections were inspected"
[ "$refused" -le 3 ] || fail "$refused captures were refused"

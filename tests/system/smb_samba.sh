#!/bin/bash
# Samba through the switch: trees of small files and 64 MiB in one, up and down, byte for byte, in
# each dialect; over a link that loses, holds back and doubles packets; with sequence numbers that
# wrap. All of it is inspected, with all rules, and nothing of it is stopped but a file with a marker.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/samba.bash"

IMPAIR=$VSWITCH_BUILD/tests/tools/impair

# a and b are on the switch with net0. With net1 they are so by way of x and y, where impair carries
# the frames between the cable and the switch's port.
ns_add a
ns_add b
ns_quiet x y
switch_start <<END
networks:
  - {name: office, tenant: acme}
  - {name: far, tenant: acme}
ports:
$(port_yaml a office)
$(port_yaml b office)
$(port_yaml x far)
$(port_yaml y far)
$(smb_inspection)
END
ip -n "$(ns a)" address add 10.0.0.1/24 dev net0
ip -n "$(ns b)" address add 10.0.0.2/24 dev net0
# cable NAMESPACE MIDDLE ADDRESS: one packet a frame, so that each can be lost by itself.
cable() {
	ip -n "$(ns "$1")" link add net1 type veth peer name cable netns "$(ns "$2")"
	ip -n "$(ns "$1")" link set net1 gso_max_segs 1 up
	ip -n "$(ns "$1")" address add "$3" dev net1
	ip -n "$(ns "$2")" link set cable up
	ip -n "$(ns "$2")" link set net0 up
}
cable a x 10.0.1.1/24
cable b y 10.0.1.2/24
ip -n "$(ns a)" link set net0 up
ip -n "$(ns b)" link set net0 up

declare -A IMPAIRS=()
# impair NAMESPACE OPTIONS: from now on; ends what was before.
impair() {
	local name=$1
	shift
	impair_end "$name"
	: >"$RUN/impair.$name"
	spawn_ns "$name" "$IMPAIR" "$@" cable net0 >"$RUN/impair.$name"
	IMPAIRS[$name]=$SPAWNED
	wait_for 10 grep -qx ready "$RUN/impair.$name"
}
impair_end() {
	[ -n "${IMPAIRS[$1]:-}" ] || return 0
	kill "${IMPAIRS[$1]}"
	wait "${IMPAIRS[$1]}" || fail "impair in $1: $(cat "$RUN/impair.$1")"
	unset "IMPAIRS[$1]"
	echo "   $1: $(tail -n 1 "$RUN/impair.$1")"
}
# did NAMESPACE WHAT COUNT: its impair, which has ended, did that at least so often
did() {
	local n
	n=$(tail -n 1 "$RUN/impair.$1" | grep -o "[0-9]* $2")
	[ "${n%% *}" -ge "$3" ] || fail "impair in $1: $n, not $3 at least"
}

samba_start b
mkdir "$RUN/tree"
smb_tree_make "$RUN/tree" 300
head -c $((64 << 20)) /dev/urandom >"$RUN/large"
head -c $((8 << 20)) "$RUN/large" >"$RUN/part"

for dialect in nt1 smb2 smb3 signed encrypted; do
	note "$dialect: a tree of 300 files, and 64 MiB"
	smb_tree a 10.0.0.2 "$dialect" "$RUN/tree"
	smb_file a 10.0.0.2 "$dialect" "$RUN/large"
	echo "   $SECONDS s"
done

note "SMB1 over NetBIOS' own port"
smb_tree a 10.0.0.2 netbios "$RUN/tree/d0"

note "2 % are held back, 1 % lost, 0.5 % doubled"
impair x
impair y --loss 1 --reorder 2 --duplicate 0.5 --seed 5
smb_tree a 10.0.1.2 smb2 "$RUN/tree/d0"
smb_file a 10.0.1.2 nt1 "$RUN/part"
smb_file a 10.0.1.2 smb3 "$RUN/large"
impair_end x
impair_end y
did y lost 500
did y "held back" 1000
did y doubled 250
echo "   $SECONDS s"

note "sequence numbers of both ends wrap"
impair x --seq-base $((0xffffffff - 100000))
impair y --seq-base $((0xffffffff - 1000000)) --reorder 2 --seed 6
smb_file a 10.0.1.2 nt1 "$RUN/large"
smb_file a 10.0.1.2 signed "$RUN/part"
smb_inspected
smb_marked "$RUN/large" "$RUN/marked"
smb_stopped a 10.0.1.2 smb3 "$RUN/marked"
impair_end x
impair_end y
did x "past the wrap" 10000
did y "past the wrap" 10000
echo "   $SECONDS s"

note "a file with a marker ends its own connection, and no other"
SMB_SAYS=$RUN/other smb a 10.0.0.2 smb3 "put $RUN/large .large; get .large $RUN/fetched" &
other=$!
PIDS+=("$other")
for dialect in nt1 smb2 smb3 signed; do
	smb_stopped a 10.0.0.2 "$dialect" "$RUN/marked"
done
wait "$other" || fail "another transfer broke off: $(tail "$RUN/other")"
cmp "$RUN/large" "$RUN/fetched" || fail "another transfer went wrong"
wait_for 5 has_alerts_of_marker 10
[ "$(ctl quarantine list -j)" = "[]" ] || fail "cut off: $(ctl quarantine list)"
note "encrypted it can't be seen, and passes, as the tenant has it"
smb_file a 10.0.0.2 encrypted "$RUN/marked"
alerts | grep -q '"id": *"encrypted"' || fail "nobody was told that something was encrypted"
echo "   $SECONDS s"

assert_ledger
switch_stop

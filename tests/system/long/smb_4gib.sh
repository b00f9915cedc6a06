#!/bin/bash
# One file of more than 4 GiB over SMB, up and down through the switch: each 16 bytes of it say where
# they are, so that what is lost, doubled or out of place shows.
. "$(dirname "$0")/../lib.bash"
. "$(dirname "$0")/../samba.bash"

LINES=$(((4 << 30) / 16 + 1000000))
SMB_TIMEOUT=600
free=$(df -Pk "$RUN" | awk 'NR == 2 { print $4 }')
[ "$free" -ge $((6 << 20)) ] || skip "needs 6 GiB under $(dirname "$RUN"), of which $((free >> 20)) are free"

# positions FROM: the file itself, from that line on
positions() { seq $((100000000000000 + $1)) $((100000000000000 + LINES - 1)); }

ns_add a
ns_add b
switch_start <<END
networks:
  - {name: office, tenant: acme}
ports:
$(port_yaml a office)
$(port_yaml b office)

END
ip -n "$(ns a)" address add 10.0.0.1/24 dev net0
ip -n "$(ns b)" address add 10.0.0.2/24 dev net0
ip -n "$(ns a)" link set net0 up
ip -n "$(ns b)" link set net0 up
samba_start b

for dialect in smb3 nt1; do
	note "$dialect, up"
	smb_from a 10.0.0.2 "$dialect" "put - file" < <(positions 0)
	[ "$(stat -c %s "$SHARE/file")" = $((LINES * 16)) ] ||
		fail "$dialect: $(stat -c %s "$SHARE/file") bytes arrived, not $((LINES * 16))"
	positions 0 | cmp - "$SHARE/file" || fail "$dialect: the server has other bytes"
	echo "   $SECONDS s"
	note "$dialect, down"
	mkfifo "$RUN/down"
	cmp "$RUN/down" <(positions 0) &
	compare=$!
	PIDS+=("$compare")
	smb_ok a 10.0.0.2 "$dialect" "get file $RUN/down"
	wait "$compare" || fail "$dialect: the client got other bytes"
	rm "$RUN/down" "$SHARE/file"
	echo "   $SECONDS s"
done

smb_inspected
assert_ledger
switch_stop

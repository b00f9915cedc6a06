#!/bin/bash
# vswitchd --replay: what real programs said to each other goes through the data path offline, whole
# and in order, twice the same; ports by MAC and by prefix; pcapng and gzip; what is no capture, an
# output that is the input, a missing file and a broken configuration end with 2 and a message.
# Catalogue: 31 and 32 are replayed from shared captures, see replay_captures.sh; issue item 3.
. "$(dirname "$0")/lib.bash"

replay() { "$VSWITCH_BUILD/vswitchd" "$@" >"$RUN/summary" 2>"$RUN/errors"; }

# replays FILE-ARGUMENTS: it must succeed, and its summary's ledger adds up.
replays() {
	replay "$@" || fail "replay $* ended with $?: $(cat "$RUN/errors")"
	jq -e '.ledger.adds_up and .lost == 0 and
		(.packets_in == .capture.frames) and (.packets_out == .ledger.sent)' \
		"$RUN/summary" >/dev/null || fail "replay $*: $(cat "$RUN/summary")"
}

# replay_fails TEXT ARGUMENTS: exit 2 with TEXT (a pattern) in the message and no summary.
replay_fails() {
	local text=$1 status=0
	shift
	replay "$@" || status=$?
	[ "$status" = 2 ] || fail "exit $status instead of 2: $*: $(cat "$RUN/errors")"
	grep -qE -- "$text" "$RUN/errors" || fail "no \"$text\" in: $(cat "$RUN/errors")"
	[ ! -s "$RUN/summary" ] || fail "$* printed a summary: $(cat "$RUN/summary")"
}

summary() { jq -r "$1" "$RUN/summary"; }
frames_of() { tcpdump -r "$1" -nn -tt -xx 2>/dev/null | grep -v '^[0-9]' ; }
# A capture's times may go back a little where two processors write it; the switch's never do.
times_of() {
	tcpdump -r "$1" -nn -tt 2>/dev/null | awk '$1 > last { last = $1; text = $1 "" } { print text }'
}

note "a capture of real programs"
ns_add left
ns_add right
ip -n "$(ns left)" link add net0 type veth peer name net0 netns "$(ns right)" ||
	skip "no veth interfaces here"
for side in left right; do
	ip -n "$(ns $side)" link set net0 address 02:00:00:00:00:0${#side} up
	ip -n "$(ns $side)" address add 10.0.0.${#side}/24 dev net0
	ip -n "$(ns $side)" address add fd00::${#side}/64 dev net0
done
spawn_ns left tcpdump -i net0 -U -s 0 -w "$RUN/in.pcap" 2>"$RUN/tcpdump"
tcpdump=$SPAWNED
wait_for 10 grep -q 'listening on' "$RUN/tcpdump"
head -c 300000 /dev/urandom >"$RUN/data"
ping_ok left 10.0.0.5
ping_ok right fd00::4
spawn_ns right socat -u TCP-LISTEN:5000 OPEN:"$RUN/got",creat
server=$SPAWNED
wait_for 10 in_ns left socat -u OPEN:"$RUN/data" TCP:10.0.0.5:5000
wait "$server"
cmp "$RUN/data" "$RUN/got" || fail "the veth pair itself damages data"
send left "$(frame $BROADCAST 020000000004 $MARK)"
marked() { tcpdump -r "$RUN/in.pcap" -nn "ether proto 0x$MARK" 2>/dev/null | grep -q .; }
wait_for 10 marked
kill "$tcpdump"
wait "$tcpdump"
count=$(frames_of "$RUN/in.pcap" | grep -c '0x0000:')
[ "$count" -ge 20 ] || fail "only $count frames captured"

note "every frame comes out at the other side, as it is and at its time"
replays --replay "$RUN/in.pcap" --out "$RUN/out.pcap"
[ "$(summary .packets_in)" = "$count" ] || fail "$count frames captured: $(cat "$RUN/summary")"
[ "$(summary .packets_out)" = "$count" ] || fail "not all came out: $(cat "$RUN/summary")"
[ "$(summary '.drops | length')" = 0 ] || fail "drops: $(summary .drops)"
cmp <(frames_of "$RUN/in.pcap") <(frames_of "$RUN/out.pcap") || fail "other frames came out"
cmp <(times_of "$RUN/in.pcap") <(times_of "$RUN/out.pcap") || fail "they came out at other times"
[ "$(summary '[.ports[] | select(.received > 0)] | length')" = 2 ] ||
	fail "both sides send: $(summary .ports)"

note "a second run says and writes the same, byte for byte"
cp "$RUN/summary" "$RUN/summary.first"
replays --replay "$RUN/in.pcap" --out "$RUN/out2.pcap"
cmp "$RUN/summary.first" "$RUN/summary" || fail "another summary"
cmp "$RUN/out.pcap" "$RUN/out2.pcap" || fail "another output"

note "gzip"
gzip -k "$RUN/in.pcap"
replays --replay "$RUN/in.pcap.gz" --out "$RUN/out3.pcap"
cmp "$RUN/out.pcap" "$RUN/out3.pcap" || fail "gzip makes a difference"

note "pcapng"
# Section header, one interface (Ethernet, microseconds), then a block for each packet.
le32() { printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
le16() { printf '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)); }
hex() { sed 's/../\\x&/g' <<<"$1"; }
little() { # pcap|pcapng FRAME...: a capture of 60-byte frames, a second apart from 1000 on
	local kind=$1 out t=1000 us f
	shift
	if [ "$kind" = pcapng ]; then
		out="$(le32 0x0a0d0d0a)$(le32 28)$(le32 0x1a2b3c4d)$(le16 1)$(le16 0)$(le32 -1)$(le32 -1)$(le32 28)"
		out+="$(le32 1)$(le32 20)$(le16 1)$(le16 0)$(le32 65535)$(le32 20)"
	else
		out="$(le32 0xa1b2c3d4)$(le16 2)$(le16 4)$(le32 0)$(le32 0)$(le32 65535)$(le32 1)"
	fi
	for f in "$@"; do
		us=$((t * 1000000))
		if [ "$kind" = pcapng ]; then
			out+="$(le32 6)$(le32 92)$(le32 0)$(le32 $((us >> 32)))$(le32 $us)$(le32 60)$(le32 60)$(hex "$f")$(le32 92)"
		else
			out+="$(le32 $t)$(le32 0)$(le32 60)$(le32 60)$(hex "$f")"
		fi
		t=$((t + 1))
	done
	printf '%b' "$out"
}
# IPv4 and UDP from 10.0.SUBNET.HOST, checksums left at 0.
udp() { echo "4500002000010000401100000a00$(printf %02x%02x $1 $2)0a00000100350035000c0000"; }
f1=$(frame 0200000000aa 020000000001 0800 "$(udp 1 5)")
f2=$(frame 0200000000bb 020000000002 0800 "$(udp 2 5)")
f3=$(frame 0200000000cc 020000000003 0800 "$(udp 2 129)")
f4=$(frame 0200000000dd 020000000004 0800 "$(udp 9 9)")
little pcap "$f1" "$f2" "$f3" "$f4" >"$RUN/little.pcap"
little pcapng "$f1" "$f2" "$f3" "$f4" >"$RUN/little.pcapng"
tcpdump -r "$RUN/little.pcapng" >/dev/null 2>&1 || fail "tcpdump cannot read little.pcapng"
replays --replay "$RUN/little.pcap" --out "$RUN/out4.pcap"
summary 'del(.capture.file)' >"$RUN/summary.pcap"
replays --replay "$RUN/little.pcapng" --out "$RUN/out5.pcap"
cmp "$RUN/summary.pcap" <(summary 'del(.capture.file)') || fail "pcapng makes a difference"
cmp "$RUN/out4.pcap" "$RUN/out5.pcap" || fail "pcapng makes a difference"
[ "$(summary .packets_in)" = 4 ] || fail "four packets: $(cat "$RUN/summary")"

note "a mapping in the configuration: by MAC, else by the longest prefix"
cat >"$RUN/map.yaml" <<'END'
networks:
  - {name: lan}
ports:
  - {name: by-mac, network: lan, kernel: {interface: n0}, default-in: allow}
  - {name: wide, network: lan, kernel: {interface: n1}, default-in: allow}
  - {name: narrow, network: lan, kernel: {interface: n2}, default-in: allow}
replay:
  - {port: by-mac, macs: ["02:00:00:00:00:01"]}
  - {port: wide, ips: [10.0.0.0/16]}
  - {port: narrow, ips: [10.0.2.128/25]}
END
little pcap "$f1" "$f2" "$f3" "$(frame 020000000001 0200000000ee 86dd)" >"$RUN/map.pcap"
replay -c "$RUN/map.yaml" --replay "$RUN/map.pcap" || fail "$(cat "$RUN/errors")"
[ "$(summary '[.ports[] | .received] == [1, 1, 1]')" = true ] || fail "ports: $(summary .ports)"
[ "$(summary .capture.unmapped)" = 1 ] || fail "one frame is nobody's: $(summary .capture)"
[ "$(summary .ledger.adds_up)" = true ] || fail "$(summary .ledger)"
# Unknown unicast of three ports: each goes to the two others.
[ "$(summary .packets_out)" = 6 ] || fail "packets out: $(cat "$RUN/summary")"

note "drops have their reason"
little pcap "$f1" "$(frame 0180c2000000 020000000001 0026)" "$(frame "$BROADCAST" 010000000001)" \
	>"$RUN/drops.pcap"
replays --replay "$RUN/drops.pcap"
[ "$(summary '.drops == {"reserved_multicast": 1, "src_mac_invalid": 1}')" = true ] ||
	fail "drops: $(summary .drops)"

note "a capture that breaks off: what is there counts, and the message says where"
head -c 300 "$RUN/little.pcap" >"$RUN/cut.pcap"
replays --replay "$RUN/cut.pcap"
[ "$(summary .packets_in)" = 3 ] || fail "three whole frames: $(cat "$RUN/summary")"
grep -q "$RUN/cut.pcap" "$RUN/errors" || fail "no word on the end: $(cat "$RUN/errors")"
[ "$(summary '.capture.broken_off != null')" = true ] || fail "$(summary .capture)"

note "refusals"
replay_fails "$RUN/data.*(pcap|capture)" --replay "$RUN/data"
: >"$RUN/empty"
replay_fails "$RUN/empty" --replay "$RUN/empty"
replay_fails "$RUN/nowhere.*No such file" --replay "$RUN/nowhere"
replay_fails "$RUN" --replay "$RUN"
cp "$RUN/little.pcap" "$RUN/kept"
ln "$RUN/kept" "$RUN/hard"
ln -s kept "$RUN/soft"
for out in kept hard soft; do
	replay_fails "--out .*$out is the capture itself" --replay "$RUN/kept" --out "$RUN/$out"
	cmp "$RUN/little.pcap" "$RUN/kept" || fail "--out $out damaged the capture"
done
replay_fails "$RUN/no/dir" --replay "$RUN/kept" --out "$RUN/no/dir"
printf 'networks:\n  - {name: lan, colour: red}\n' >"$RUN/broken.yaml"
replay_fails "$RUN/broken.yaml:2:.*colour" -c "$RUN/broken.yaml" --replay "$RUN/kept"
replay_fails "$RUN/none.yaml" -c "$RUN/none.yaml" --replay "$RUN/kept"
sed 's/port: narrow/port: wrong/' "$RUN/map.yaml" >"$RUN/broken.yaml"
replay_fails "$RUN/broken.yaml:10:.*wrong" -c "$RUN/broken.yaml" --replay "$RUN/kept"

# Packets for system tests, as hex for lib.bash's send, and probes: frames that must arrive, or be
# dropped for a reason. Source it after lib.bash.

# The builders leave their parts in variables, not on standard output: a process a part is slow.

# to_hex ADDRESS: $HEX; 10.0.0.1 is 0a000001.
to_hex() {
	local part head=${1%%::*} tail=
	if [[ $1 != *:* ]]; then
		# shellcheck disable=SC2086
		printf -v HEX '%02x%02x%02x%02x' ${1//./ }
		return
	fi
	[[ $1 != *::* ]] || tail=${1##*::}
	HEX=
	for part in ${head//:/ }; do printf -v HEX '%s%04x' "$HEX" "0x$part"; done
	head=$HEX HEX=
	for part in ${tail//:/ }; do printf -v HEX '%s%04x' "$HEX" "0x$part"; done
	while [ $((${#head} + ${#HEX})) -lt 32 ]; do head+=0000; done
	HEX=$head$HEX
}

# sum16 HEX: $SUM, the Internet checksum (RFC 1071) in four digits.
sum16() {
	local hex=$1 sum=0 i
	[ $((${#hex} % 4)) = 0 ] || hex+=00
	for ((i = 0; i < ${#hex}; i += 4)); do sum=$((sum + 0x${hex:i:4})); done
	while [ $((sum >> 16)) != 0 ]; do sum=$(((sum & 65535) + (sum >> 16))); done
	printf -v SUM '%04x' $((65535 - sum))
}

# complete FROM TO PROTOCOL AT SEGMENT: $SEGMENT, with its checksum, which is AT bytes into it and
# zero so far.
complete() {
	local ends at=$(($4 * 2)) length
	to_hex "$1"
	ends=$HEX
	to_hex "$2"
	printf -v length '%04x%04x' "$3" $((${#5} / 2))
	sum16 "$ends$HEX$length$5"
	SEGMENT=${5:0:at}$SUM${5:at+4}
}

# ipv4 TO-MAC FROM-MAC FROM TO PROTOCOL PAYLOAD [FLAGS-AND-OFFSET]: a frame.
ipv4() {
	local header
	printf -v header '4500%04x1234%s40%02x0000' $((20 + ${#6} / 2)) "${7:-0000}" "$5"
	to_hex "$3"
	header+=$HEX
	to_hex "$4"
	header+=$HEX
	sum16 "$header"
	frame "$1" "$2" 0800 "${header:0:20}$SUM${header:24}$6"
}

# ipv6 TO-MAC FROM-MAC FROM TO NEXT-HEADER PAYLOAD [HOP-LIMIT]: a frame.
ipv6() {
	local header
	printf -v header '60000000%04x%02x%02x' $((${#6} / 2)) "$5" "${7:-255}"
	to_hex "$3"
	header+=$HEX
	to_hex "$4"
	frame "$1" "$2" 86dd "$header$HEX$6"
}

# ip_frame TO-MAC FROM-MAC FROM TO PROTOCOL PAYLOAD: either, by FROM.
ip_frame() {
	if [[ $3 == *:* ]]; then ipv6 "$@"; else ipv4 "$@"; fi
}

# udp TO-MAC FROM-MAC FROM TO SOURCE-PORT PORT [DATA]
udp() {
	local data=${7:-} header
	printf -v header '%04x%04x%04x0000' "$5" "$6" $((8 + ${#data} / 2))
	complete "$3" "$4" 17 6 "$header$data"
	ip_frame "$1" "$2" "$3" "$4" 17 "$SEGMENT"
}

# tcp TO-MAC FROM-MAC FROM TO SOURCE-PORT PORT: a SYN of sequence number 1000 (hex).
tcp() {
	local ports
	printf -v ports '%04x%04x' "$5" "$6"
	complete "$3" "$4" 6 16 "${ports}00001000000000005002ffff00000000"
	ip_frame "$1" "$2" "$3" "$4" 6 "$SEGMENT"
}

# icmp TO-MAC FROM-MAC FROM TO TYPE CODE [REST, from behind the checksum]: of the family of FROM.
icmp() {
	local body
	printf -v body '%02x%02x0000%s' "$5" "$6" "${7:-00010001}"
	if [[ $3 == *:* ]]; then
		complete "$3" "$4" 58 2 "$body"
		ipv6 "$1" "$2" "$3" "$4" 58 "$SEGMENT"
	else
		sum16 "$body"
		ipv4 "$1" "$2" "$3" "$4" 1 "${body:0:4}$SUM${body:8}"
	fi
}

# arp TO-MAC FROM-MAC OPERATION SENDER-MAC SENDER TARGET-MAC TARGET [ETHERTYPE]
arp() {
	local message
	to_hex "$5"
	printf -v message '000108000604%04x%s%s' "$3" "$4" "$HEX"
	to_hex "$7"
	frame "$1" "$2" "${8:-0806}" "$message$6$HEX"
}

# Frames for the next probe: those that must arrive, and those that must be dropped for REASON.
PROBES=() PROBE_NAMES=() PROBE_REASONS=()
passes() { probe_add "" "$@"; }
drops() { probe_add "$@"; }
probe_add() { # REASON NAME FRAME
	PROBE_REASONS+=("$1") PROBE_NAMES+=("$2") PROBES+=("$3")
}

# probe FROM TO...: sends the frames from the port FROM. What passes must arrive at all of TO, all
# else at none, and counts at FROM for its reason and no other.
probe() {
	local from=$1 to i count reason want before
	local -A got=() wants=() befores=()
	shift
	for i in "${!PROBES[@]}"; do
		reason=${PROBE_REASONS[i]}
		[ -z "$reason" ] || wants[$reason]=$((${wants[$reason]:-0} + 1))
	done
	for reason in "${!wants[@]}"; do befores[$reason]=$(drops_of "$from" "$reason"); done
	before=$(received "$from")
	watch "$@"
	printf '%s\n' "${PROBES[@]}" | in_ns "$from" "$FRAMES" lines net0 || fail "cannot send from $from"
	settled "$from" $((before + ${#PROBES[@]}))
	watched "$from" "$@"
	for to in "$@"; do
		got=()
		while read -r i; do got[$i]=$((${got[$i]:-0} + 1)); done <"$RUN/watch.$to"
		for i in "${!PROBES[@]}"; do
			count=${got[${PROBES[i]}]:-0} want=1
			[ -z "${PROBE_REASONS[i]}" ] || want=0
			[ "$count" = "$want" ] || fail "${PROBE_NAMES[i]}: came $count times to $to instead of $want: ${PROBES[i]}"
		done
	done
	for reason in "${!wants[@]}"; do
		count=$(($(drops_of "$from" "$reason") - befores[$reason]))
		[ "$count" = "${wants[$reason]}" ] ||
			fail "$count dropped as $reason, not ${wants[$reason]}: $(printf '%s, ' "${PROBE_NAMES[@]}") $(ctl drops "$from")"
	done
	echo "   ${#PROBES[@]} frames from $from to $*"
	PROBES=() PROBE_NAMES=() PROBE_REASONS=()
}

# The control socket, kept open for many commands in a row: wire JSON; the reply is in $REPLY.
wire_open() {
	coproc WIRE { socat - "UNIX-CONNECT:$SOCK"; }
	PIDS+=("$WIRE_PID")
}
wire() {
	echo "$1" >&"${WIRE[1]}"
	read -r -t 20 REPLY <&"${WIRE[0]}" || fail "no answer to $1"
	[[ $REPLY == *'"ok":true'* ]] || fail "$1: $REPLY"
}
# edit COMMAND ARGUMENTS: one of those, its arguments in JSON without the braces.
edit() { wire "{\"command\":\"$1\",\"args\":{$2}}"; }

# Microseconds since 1970.
now_us() { echo "${EPOCHREALTIME/[^0-9]/}"; }

# ns_addresses NAME ADDRESS...: on net0.
ns_addresses() {
	local name=$1 address
	shift
	for address in "$@"; do ip -n "$(ns "$name")" address add "$address" dev net0; done
}

# A ping a millisecond until pings_stop, which fails the test when one was not answered; what is on
# its way at the end does not count.
pings_start() { # FROM ADDRESS
	spawn_ns "$1" ping -i 0.001 "$2" >"$RUN/pings"
	PINGS=$SPAWNED
}
pings_stop() {
	local last got
	kill -INT "$PINGS"
	wait "$PINGS"
	sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$RUN/pings" | sort -nu >"$RUN/answers"
	last=$(tail -n 1 "$RUN/answers") got=$(wc -l <"$RUN/answers")
	echo "   $got of $last pings answered"
	[ "$got" -gt 100 ] && [ "$got" = "$last" ] || fail "allowed pings were lost: $(tail -n 3 "$RUN/pings")"
}

# shellcheck shell=bash
# What the tests with real guests share, on top of lib.bash, which it sources: the guest image, guests
# that end with the test, and what such tests ask of guests again and again.
#
# Without KVM guests are emulated and slow, so a test boots its guests once and tells several stories
# with them. Guests' clocks are their own: times are taken by one guest's /proc/uptime only.

. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
# shellcheck disable=SC2034 # guest.sh uses them
GUEST_IMAGE=$VSWITCH_BUILD/guest GUEST_DIR=$RUN
. "$TESTS/guest/guest.sh"
"$TESTS/guest/build-image.sh" "$GUEST_IMAGE" >"$RUN/image.log" 2>&1 ||
	fail "no guest image: $(cat "$RUN/image.log")"

test_cleanup() {
	local file
	if [ "$status" != 0 ] && [ "$status" != 77 ]; then
		for file in "$GUEST_DIR"/*.pid; do
			[ -e "$file" ] && guest_log "$(basename "$file" .pid)"
		done
	fi
	guest_cleanup
}

# start NAME MODE MAC-DIGIT [OPTION=VALUE...]: guest NAME, with 10.0.0.N and fd00::N for MAC-DIGIT N,
# on $RUN/NAME.sock. MODE is the switch's: client or server, as in the configuration.
start() {
	local name=$1 mode=server n=$3
	[ "$2" = client ] || mode=client
	shift 3
	guest_start "$name" "$RUN/$name.sock" "$mode" "02:00:00:00:00:0$n" "10.0.0.$n,fd00::$n" \
		"$@" || fail "QEMU for $name does not start"
}

# guest_yaml NAME MAC-DIGIT [VHOST-USER-FIELDS [FIELDS]]: its port, held to its MAC and addresses.
guest_yaml() {
	echo "  - {name: $1, network: office, mac: 02:00:00:00:00:0$2, ips: [10.0.0.$2, \"fd00::$2\"]," \
		"vhost-user: {socket: $RUN/$1.sock${3:+, $3}}${4:+, $4}$(policy_of "${4:-}")}"
}

up() {
	local name
	for name in "$@"; do
		guest_wait_up "$name" 120 || fail "$name is not up"
	done
}

# in_guest NAME COMMAND [SECONDS]: must succeed; its output is in $RUN/said.
in_guest() {
	guest_run "$1" "$2" "${3:-60}" >"$RUN/said" 2>&1 || fail "$1: $2: $(cat "$RUN/said")"
}

# state_is PORT STATE: as `port show` names it.
state_is() { [ "$(port_field "$1" .state)" = "$2" ]; }

# error_says PORT TEXT: a part of its last error.
error_says() { port_field "$1" '.error // ""' | grep -qF "$2"; }

assert_error() {
	error_says "$1" "$2" || fail "error of $1 is '$(port_field "$1" .error)', not '$2'"
}

guest_ping_ok() {
	guest_run "$1" "ping -q -c 3 -i 0.1 -W 5 $2" >"$RUN/said" 2>&1 ||
		fail "ping $2 from $1: $(cat "$RUN/said")"
}

# transfer FROM ADDRESS BYTES: over TCP, the digest checked at both ends.
transfer() {
	in_guest "$1" "xfer send $2 5001 $3" 120
	sed "s/^/   $1 to $2: /" "$RUN/said"
}

# guest_counter NAME COUNTER: of its driver, such as tx_queue_0_packets.
guest_counter() { guest_run "$1" "ethctl eth0 stats" | sed -n "s/^$2=//p"; }

# ping_start NAME ADDRESS [INTERVAL]: goes on until ping_stop. Each answer is noted with its time.
ping_start() {
	guest_spawn "$1" ping "ping -i ${3:-0.05} $2 | while read -r line; do
read -r up idle </proc/uptime; echo \"\$up \$line\"; done" seq= || fail "$1 does not reach $2"
}

ping_log() { guest_run "$1" "cat /tmp/spawn.ping.out"; }

ping_stop() {
	guest_run "$1" "killall ping" || fail "ping in $1 has ended: $(ping_log "$1")"
	ping_log "$1" >"$RUN/ping.$1"
}

# holes FILE: how many answers are missing before the last one in a log of ping.
holes() {
	sed -n 's/.*seq=\([0-9]*\).*/\1/p' "$1" | sort -nu |
		awk 'NR == 1 { first = $1 } END { print NR ? $1 - first + 1 - NR : "all" }'
}

# answered NAME WHEN COUNT: ping_start's ping has so many answers since.
answered() { [ "$(answers_since "$1" "$2" | wc -l)" -ge "$3" ]; }
answers_since() { ping_log "$1" | awk -v since="$2" '/seq=/ && $1 >= since'; }

uptime_of() { guest_run "$1" "cut -d ' ' -f 1 /proc/uptime"; }

# waited PID...: seconds that all their threads have stood ready to run with no core free.
waited() {
	local pid
	for pid in "$@"; do
		cat /proc/"$pid"/task/*/schedstat 2>/dev/null
	done | awk '{ ns += $2 } END { printf "%.2f\n", ns / 1e9 }'
}

# less A B: of numbers with a point.
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }

# udp_sum FRAME: what the checksum of an IPv4 UDP frame in hex is: partial (of the pseudo-header
# alone, the rest left to the receiver's virtual card), full or bad.
udp_sum() {
	local hex=$1 pseudo=17 all i length
	length=$((16#${hex:76:4}))
	for ((i = 52; i < 68; i += 4)); do
		pseudo=$((pseudo + 16#${hex:i:4}))
	done
	pseudo=$((pseudo + length))
	all=$pseudo
	for ((i = 0; i < 2 * length; i += 4)); do
		local word=${hex:68+i:4}
		[ $((2 * length - i)) -ge 4 ] || word=${word:0:2}00
		all=$((all + 16#$word))
	done
	while [ $((pseudo >> 16)) != 0 ]; do pseudo=$(((pseudo & 65535) + (pseudo >> 16))); done
	while [ $((all >> 16)) != 0 ]; do all=$(((all & 65535) + (all >> 16))); done
	if [ "$all" = 65535 ]; then
		echo full
	elif [ $((16#${hex:80:4})) = "$pseudo" ]; then
		echo partial
	else
		echo "bad: $hex"
	fi
}

# assert_udp_sum NAME KIND COMMAND...: of the first IPv4 frame that COMMAND sends to guest NAME.
assert_udp_sum() {
	local name=$1 kind=$2 found
	shift 2
	guest_spawn "$name" dump "frame dump eth0 0800 30 1" ready >/dev/null || fail "$name cannot dump"
	"$@"
	found=$(udp_sum "$(guest_join "$name" dump | grep -E '^[0-9a-f]{60,}$')")
	[ "$found" = "$kind" ] || fail "$name gets UDP with a checksum that is $found, not $kind"
}

descriptors() { find "/proc/$SWITCH_PID/fd" -mindepth 1 | wc -l; }
buffers_free() { ctl status -j | jq .memory.buffers_free; }

# ns_ping_start FROM ADDRESS: between namespaces, 200 a second; ns_ping_lossless ends it.
ns_ping_start() {
	ip netns exec "$(ns "$1")" ping -i 0.005 "$2" >"$RUN/ping.$1" 2>&1 &
	NS_PING=$!
	PIDS+=("$NS_PING")
}

ns_ping_lossless() {
	kill -INT "$NS_PING" || fail "ping in $1 has ended: $(cat "$RUN/ping.$1")"
	wait "$NS_PING"
	assert_lossless "$1"
}

# ping_goes_on NAME: ends ping_start's ping, and holds it to answers all along. Emulated guests on a
# busy machine lose some by themselves, so that nothing is lost at all is asserted between namespaces.
ping_goes_on() {
	local answers missing
	ping_stop "$1"
	answers=$(grep -c seq= "$RUN/ping.$1") missing=$(holes "$RUN/ping.$1")
	echo "   $answers answers to $1 meanwhile, $missing missing"
	[ "$answers" -ge 5 ] && [ "$missing" -le $((answers / 3)) ] || fail "$1 lost packets: $(ctl drops)"
}

assert_lossless() {
	local answers missing
	answers=$(grep -c seq= "$RUN/ping.$1") missing=$(holes "$RUN/ping.$1")
	echo "   $answers answers to $1 meanwhile, $missing missing"
	[ "$missing" = 0 ] && [ "$answers" -ge 5 ] || fail "$1 lost packets: $(ctl drops)"
}

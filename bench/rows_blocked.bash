# For how long traffic is held up by a change: what is lost of 100,000 packets a second one way, over
# rings of 1,024, divided by that rate, less the same of a run without changes, for each change. A ring
# holds what comes in 10 ms, so what is shorter costs nobody a packet. The generator has precedence on its
# core: vswitchd's other threads, vswitch-ctl and the guest that comes and goes use that core, too.
BLOCKED_RATE=100000
BLOCKED_SECONDS=$((EACH * 2))
BLOCKED_PAUSE=0.1 # seconds between two changes

change_rule() { # NUMBER
	if [ $(($1 % 2)) = 1 ]; then
		vswitch_ctl rule add rules direction=in protocol=tcp ports=9999 action=deny --at 0
	else
		vswitch_ctl rule del rules 0
	fi
}

# A port's socket is there with the port, and goes with it.
change_port() {
	if [ $(($1 % 2)) = 1 ]; then
		vswitch_ctl port add vm9 network=bench mac=02:00:00:00:00:09 ips=10.0.0.9 groups=rules \
			vhost-user.socket="$RUN/vm9.sock" vhost-user.mode=server
	else
		vswitch_ctl port del vm9
	fi
}

# The third guest is killed, and starts anew.
change_guest() {
	if [ $(($1 % 2)) = 1 ]; then
		"$BUILD/vswitch-pktgen" -t idle --no-huge --core $GENERATOR_CORE -d 3600 -p "$RUN/vm3.sock" \
			>"$RUN/guest.log" 2>&1 &
		guest=$!
		PIDS+=("$guest")
		wait_for 10 vswitch_up 3
	else
		kill -9 "$guest"
		wait "$guest" 2>/dev/null
		wait_for 10 vswitch_left
	fi
}
vswitch_left() { ! vswitch_up 3; }

# To rules that are others each time.
change_reload() {
	vswitch_smb_rules $((1 + $1)) && vswitch_ctl rules reload
}

change_nothing() { :; }

# blocked_measure ID VARIANT ROUND: lines of $RUN/blocked with seconds in all, and how many changes.
blocked_measure() {
	local what=${2#*:} round=$3 n=0 pid guest=
	start vswitch:blocked || return
	PRECEDENCE=-10 generate -1 -f 100 -r $BLOCKED_RATE -w $WARMUP -d "$BLOCKED_SECONDS" >"$RUN/result" &
	pid=$!
	wait_for 20 blocked_traffic || { say "$1: no traffic"; return; }
	while kill -0 $pid 2>/dev/null; do
		sleep $BLOCKED_PAUSE
		if "change_$what" $((n + 1)) >"$RUN/change.log" 2>&1; then
			n=$((n + 1))
		elif kill -0 $pid 2>/dev/null; then
			say "$1: no figure of $2: $(<"$RUN/change.log")"
			wait $pid
			return
		fi
	done
	wait $pid && jq -c --arg what "$what" --argjson round "$round" --argjson changes $n \
		'{what: $what, round: $round, changes: $changes, seconds: (.lost / .rate_pps), result: .}' \
		"$RUN/result" >>"$RUN/blocked"
}
# Past the warm-up.
blocked_traffic() {
	[ "$(vswitch_ctl port show vm2 -j | jq .tx.packets)" -gt $((BLOCKED_RATE * WARMUP)) ]
}

# All changes and the run without in turn; what is less than nothing is chance.
row_blocked() {
	local what
	: >"$RUN/blocked"
	for what in rule port guest reload; do
		row "blocked-$what" "blocked by a change, ms each: $what; in all without one" ms "vswitch:$what<=0" \
			vswitch:nothing
	done
	VARIANTS=(vswitch:nothing vswitch:rule vswitch:port vswitch:guest vswitch:reload)
	in_turn blocked blocked_measure
	jq -cs '(map(select(.what == "nothing")) | INDEX(.round)) as $still | .[] |
		select(.what != "nothing" and $still[.round | tostring]) | . as $r |
		def line($variant; $value; $of): {row: "blocked-\($r.what)", variant: $variant, round: $r.round,
			value: $value, changes: $of.changes, loss: $of.result.loss,
			cycles: ($of.result.generator.tsc_hz / $of.result.all.received_pps),
			headroom: $of.result.generator.headroom, limit: $of.result.generator.limit};
		$still[.round | tostring] as $s |
		line("vswitch:\($r.what)"; ($r.seconds - $s.seconds) / $r.changes * 1000; $r),
		line("vswitch:nothing"; $s.seconds * 1000; $s)' "$RUN/blocked" >>"$RUN/measured"
	cp "$RUN/blocked" "${BLOCKED_LOG:-/dev/null}"
}

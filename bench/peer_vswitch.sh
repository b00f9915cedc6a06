# Ours, with one worker. Cases: off (firewall off: trusted ports), fw20 and fw10000 (anti-spoofing, and
# that many rules of which the last allows), storm and storm10000 (the same, with one second of life
# for connections), ports64 (fw20 with 62 guests more that do nothing), mixed (fw20 with four ports),
# smb, smb-zeros and mixed-smb (inspected, in prevent), blocked (fw20, inspected, and a third guest).
vswitch_have() { [ -x "$BUILD/vswitchd" ]; }
vswitch_settings() { echo "sleep-after 0, pool of 131072 buffers, room for 4194304 connections"; }
IDLE=62         # guests that do nothing, of ports64
IDLE_EACH=31    # of them in one process
MARKER=last-block-of-the-bench
MARKER_SID=9900001

vswitch_ctl() { "$BUILD/vswitch-ctl" -s "$RUN/ctl.sock" "$@"; }

vswitch_rules() { # COUNT: all but the last are of something else
	seq 0 $(($1 - 2)) | awk '{ printf "      - {direction: in, protocol: tcp, ports: %d, " \
		"remote: 10.%d.%d.0/24, action: allow}\n", 1 + $1 % 1000, 1 + $1 / 250, $1 % 250 }'
	echo "      - {direction: in, remote: 10.0.0.0/24, action: allow}"
}

vswitch_port() { # NUMBER FIELDS: its socket is $RUN/vmNUMBER.sock
	printf '  - {name: vm%d, network: bench, mac: "02:00:00:00:00:%02x", ips: [10.0.0.%d], ' "$1" "$1" "$1"
	echo "vhost-user: {socket: $RUN/vm$1.sock, mode: server}, $2}"
}

# The rules of SMB_RULES that load, and one for what the last block of each connection ends with.
# REVISION makes them others.
vswitch_smb_rules() { # [REVISION]
	loadable_rules >"$RUN/smb.rules" || fail "rules check: $(<"$RUN/check")"
	echo "alert smb any any -> any any (msg:\"marker\"; content:\"$MARKER\"; sid:$MARKER_SID; rev:${1:-1};)" \
		>>"$RUN/smb.rules"
}

vswitch_configuration() { # CASE
	local fields="groups: [rules], connections: {max: 4194304, per-second: 16777216}" count=20 ports=2 n
	case $1 in
	off) fields="trusted: yes" ;;
	*10000) count=10000 ;;
	ports64) ports=$((2 + IDLE)) ;;
	mixed*) ports=4 ;;
	blocked) ports=3 ;;
	esac
	cat <<-END
		vswitch: {workers: [$SWITCH_CORE], control: $RUN/ctl.sock, state: $RUN/state, events: $RUN/eve.json,
		  hugepages: yes, sleep-after: 0us, buffers: 131072, connections: 4194304, rules: $RUN}
		tenants: [{name: bench, connections: {max: 4194304, per-second: 16777216}}]
		networks: [{name: bench, tenant: bench}]
		groups:
		  - name: rules
		    tenant: bench
		    rules:
		$(vswitch_rules "$count")
		ports:
	END
	for ((n = 1; n <= ports; n++)); do vswitch_port $n "$fields"; done
	case $1 in
	storm*) echo "firewall: {pick-up: 0s, timeouts: {udp-first: 1s, udp-single: 1s, udp-multiple: 1s}}" ;;
	smb* | *-smb | blocked) echo "inspection: [{tenant: bench, rules: [smb.rules], mode: prevent}]" ;;
	esac
}

vswitch_start() { # CASE
	rm -rf "$RUN/state" "$RUN/eve.json"
	vswitch_smb_rules
	vswitch_configuration "$1" >"$RUN/vswitch.yaml"
	"$BUILD/vswitchd" -c "$RUN/vswitch.yaml" >"$RUN/vswitch.log" 2>&1 &
	PIDS+=($!)
	wait_for 30 vswitch_applied || return 1
	case $1 in
	ports64) vswitch_idle $IDLE ;;
	smb* | *-smb | blocked) wait_for 60 vswitch_inspects ;;
	esac
}
vswitch_applied() { [ "$(vswitch_ctl status -j | jq .revision)" -ge 1 ]; }
vswitch_inspects() { [ "$(vswitch_ctl rules status -j | jq -r '.tenants[0].state')" = ready ]; }
vswitch_up() { [ "$(vswitch_ctl status -j | jq .ports_up)" -ge "$1" ]; }
vswitch_stop() { :; }

# vswitch_idle COUNT: guests at the ports from the third on, attached and with empty rings.
vswitch_idle() {
	local n ports=()
	for ((n = 3; n <= $1 + 2; n++)); do
		ports+=(-p "$RUN/vm$n.sock")
		[ ${#ports[@]} = $((2 * IDLE_EACH)) ] || [ $n = $(($1 + 2)) ] || continue
		"$BUILD/vswitch-pktgen" -t idle --no-huge --core $GENERATOR_CORE --queue-size 256 -d 3600 --wait 20 \
			"${ports[@]}" >"$RUN/idle$n.log" 2>&1 &
		PIDS+=($!)
		ports=()
	done
	wait_for 60 vswitch_up "$1"
}

vswitch_connections() { vswitch_ctl status -j | jq .firewall.connections; }

# Of all its stages; from its start on.
# Of all stages, for each packet that came in: not every packet goes through all of them.
vswitch_cycles() {
	vswitch_ctl worker stats -j | jq '.[0].stages |
		(map(.packets * (.cycles_per_packet // 0)) | add) / (.[] | select(.stage == "rx") | .packets)'
}

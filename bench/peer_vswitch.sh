# Ours, with one worker. Cases: off (firewall off: trusted ports), fw20 and fw10000 (anti-spoofing, and
# that many rules of which the last allows), storm and storm10000 (the same, with one second of life
# for connections).
vswitch_have() { [ -x "$BUILD/vswitchd" ]; }
vswitch_settings() { echo "sleep-after 0, pool of 131072 buffers, room for 4194304 connections"; }

vswitch_ctl() { "$BUILD/vswitch-ctl" -s "$RUN/ctl.sock" "$@"; }

vswitch_rules() { # COUNT: all but the last are of something else
	seq 0 $(($1 - 2)) | awk '{ printf "      - {direction: in, protocol: tcp, ports: %d, " \
		"remote: 10.%d.%d.0/24, action: allow}\n", 1 + $1 % 1000, 1 + $1 / 250, $1 % 250 }'
	echo "      - {direction: in, remote: 10.0.0.0/24, action: allow}"
}

vswitch_port() { # NUMBER NAME FIELDS
	printf '  - {name: %s, network: bench, mac: "02:00:00:00:00:%02x", ips: [10.0.0.%d], ' "$2" "$1" "$1"
	echo "vhost-user: {socket: $RUN/$2.sock, mode: server}, $3}"
}

vswitch_configuration() { # CASE
	local fields="groups: [rules], connections: {max: 4194304, per-second: 16777216}" count=20
	[ "$1" != off ] || fields="trusted: yes"
	[[ $1 != *10000 ]] || count=10000
	cat <<-END
		vswitch: {workers: [$SWITCH_CORE], control: $RUN/ctl.sock, state: $RUN/state, events: $RUN/eve.json,
		  hugepages: yes, sleep-after: 0us, buffers: 131072, connections: 4194304}
		tenants: [{name: bench, connections: {max: 4194304, per-second: 16777216}}]
		networks: [{name: bench, tenant: bench}]
		groups:
		  - name: rules
		    tenant: bench
		    rules:
		$(vswitch_rules "$count")
		ports:
		$(vswitch_port 1 vm1 "$fields")
		$(vswitch_port 2 vm2 "$fields")
	END
	[[ $1 != storm* ]] ||
		echo "firewall: {pick-up: 0s, timeouts: {udp-first: 1s, udp-single: 1s, udp-multiple: 1s}}"
}

vswitch_start() { # CASE
	rm -rf "$RUN/state"
	vswitch_configuration "$1" >"$RUN/vswitch.yaml"
	"$BUILD/vswitchd" -c "$RUN/vswitch.yaml" >"$RUN/vswitch.log" 2>&1 &
	PIDS+=($!)
	wait_for 30 vswitch_applied
}
vswitch_applied() { [ "$(vswitch_ctl status -j | jq .revision)" -ge 1 ]; }
vswitch_stop() { :; }

# Of all its stages; from its start on.
vswitch_cycles() { vswitch_ctl worker stats -j | jq '[.[0].stages[].cycles_per_packet] | add'; }

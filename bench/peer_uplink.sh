# Two of ours, each with a guest, joined by a veth pair that both have as an uplink: what is between two
# hosts, but for the wire. Both workers share core 0, and the kernel copies every frame from one
# interface to the other: it shows that uplinks carry load, and is no figure of how fast they are. In a
# network namespace of its own. Case: veth.
UPLINK_NS=vswitch-bench-$$

uplink_have() {
	ip netns add $UPLINK_NS 2>/dev/null || { echo "no network namespaces: no uplinks"; return 1; }
	ip -n $UPLINK_NS link add name left type veth peer name right 2>/dev/null || echo "no veth pairs: no uplinks"
	ip -n $UPLINK_NS link show left >/dev/null 2>&1 || { ip netns del $UPLINK_NS; return 1; }
	ip netns del $UPLINK_NS
}
uplink_settings() { echo "AF_XDP on a veth pair, both workers on core $SWITCH_CORE, which they leave when idle"; }

uplink_ctl() { # HOST COMMAND...
	local host=$1
	shift
	"$BUILD/vswitch-ctl" -s "$RUN/$host.sock" "$@"
}

uplink_configuration() { # HOST NUMBER
	cat <<-END
		vswitch: {workers: [$SWITCH_CORE], control: $RUN/$1.sock, state: $RUN/$1.state, events: $RUN/$1.eve.json,
		  hugepages: yes, buffers: 16384, connections: 65536}
		networks: [{name: bench, tenant: bench, vlan: 100}]
		groups:
		  - name: rules
		    tenant: bench
		    rules:
		$(vswitch_rules 20)
		ports:
		$(vswitch_port "$2" "groups: [rules]")
		uplinks:
		  - {name: up, interface: $1}
	END
}

uplink_start() { # CASE
	local host number=0
	ip netns add $UPLINK_NS && ip -n $UPLINK_NS link add name left type veth peer name right || return 1
	rm -rf "$RUN/left.state" "$RUN/right.state"
	for host in left right; do
		number=$((number + 1))
		# Nothing of the kernel's own on the wire.
		ip -n $UPLINK_NS link set $host addrgenmode none up
		uplink_configuration $host $number >"$RUN/$host.yaml"
		ip netns exec $UPLINK_NS "$BUILD/vswitchd" -c "$RUN/$host.yaml" >"$RUN/uplink.log" 2>&1 &
		PIDS+=($!)
	done
	for host in left right; do wait_for 30 uplink_up $host || return 1; done
}
uplink_up() { [ "$(uplink_ctl "$1" port show up.100 -j | jq -r .state)" = up ]; }
uplink_stop() { ip netns del $UPLINK_NS; }

# Of both.
uplink_cycles() {
	for host in left right; do uplink_ctl $host worker stats -j; done | jq -s '[.[][0].stages[].cycles_per_packet] | add'
}

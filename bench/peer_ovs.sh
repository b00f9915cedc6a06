# Open vSwitch 3.1 with DPDK and one PMD thread, with a database and sockets of its own. Cases: normal
# (a learning switch), conntrack (anti-spoofing, connections tracked, 20 rules of which the last
# allows: what our firewall does), storm (the same, one second of life for connections), tso (normal,
# with userspace TSO).
OVS_VSWITCHD=/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk
OVS_TABLE=4194304
ovs_have() {
	[ -x $OVS_VSWITCHD ] || { echo "no Open vSwitch (package openvswitch-switch-dpdk)"; return 1; }
}
ovs_settings() {
	echo "one rx queue a port; up to 1000 flows in the EMC, every one (emc-insert-inv-prob 1)," \
		"more in the SMC (smc-enable, no EMC); room for $OVS_TABLE connections"
}

ovs_vsctl() { timeout 30 ovs-vsctl --db="unix:$RUN/ovs/db.sock" "$@"; }
ovs_appctl() { timeout 10 ovs-appctl -t "$RUN/ovs/vswitchd.ctl" "$@"; }
ovs_flow() { echo "$*" >>"$RUN/ovs/flows"; }

# Table 0: each port's own addresses, then the connection; table 1: what is known, and the rules.
ovs_conntrack_flows() {
	local n i
	: >"$RUN/ovs/flows"
	for n in 1 2; do
		ovs_flow "table=0,priority=20,in_port=$n,dl_src=02:00:00:00:00:0$n,arp,arp_sha=02:00:00:00:00:0$n,arp_spa=10.0.0.$n,actions=NORMAL"
		ovs_flow "table=0,priority=20,in_port=$n,dl_src=02:00:00:00:00:0$n,ip,nw_src=10.0.0.$n,actions=ct(table=1,zone=1)"
	done
	ovs_flow "table=0,priority=0,actions=drop"
	ovs_flow "table=1,priority=30,ct_state=+trk+est-inv,actions=NORMAL"
	ovs_flow "table=1,priority=30,ct_state=+trk+rel-inv,actions=NORMAL"
	for ((i = 0; i < 19; i++)); do
		ovs_flow "table=1,priority=20,ct_state=+trk+new,tcp,tp_dst=$((1 + i)),nw_src=10.1.$i.0/24,actions=ct(commit,zone=1),NORMAL"
	done
	ovs_flow "table=1,priority=10,ct_state=+trk+new,ip,nw_src=10.0.0.0/24,actions=ct(commit,zone=1),NORMAL"
	ovs_flow "table=1,priority=0,actions=drop"
	timeout 30 ovs-ofctl -O OpenFlow13 --bundle replace-flows br0 "$RUN/ovs/flows" &&
		ovs_appctl dpctl/ct-set-maxconns $OVS_TABLE
}

ovs_start() { # CASE FLOWS
	local dir=$RUN/ovs emc=1 smc=false n
	# Ports of the other kind never offer TSO.
	[ "$1" != tso ] || GUESTS=,server=1
	rm -rf "$dir"
	mkdir "$dir"
	export OVS_RUNDIR=$dir OVS_DBDIR=$dir OVS_LOGDIR=$dir
	[ "$2" -le 1000 ] || { emc=0 smc=true; }
	ovsdb-tool create "$dir/conf.db" /usr/share/openvswitch/vswitch.ovsschema || return 1
	ovsdb-server "$dir/conf.db" --remote="punix:$dir/db.sock" --unixctl="$dir/db.ctl" \
		--no-chdir >"$RUN/ovsdb.log" 2>&1 &
	PIDS+=($!)
	wait_for 20 test -S "$dir/db.sock" || return 1
	ovs_vsctl --no-wait init &&
		ovs_vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true \
			other_config:pmd-cpu-mask=$(printf '0x%x' $((1 << SWITCH_CORE))) \
			other_config:dpdk-lcore-mask=$(printf '0x%x' $((1 << GENERATOR_CORE))) \
			other_config:dpdk-socket-mem=1024 other_config:dpdk-extra="--in-memory --no-pci" \
			other_config:emc-insert-inv-prob=$emc other_config:smc-enable=$smc \
			other_config:userspace-tso-enable="$([ "$1" = tso ] && echo true || echo false)" ||
		return 1
	$OVS_VSWITCHD "unix:$dir/db.sock" --unixctl="$dir/vswitchd.ctl" \
		--no-chdir >"$RUN/ovs.log" 2>&1 &
	PIDS=($! "${PIDS[@]}")
	ovs_vsctl add-br br0 -- set Bridge br0 datapath_type=netdev || return 1
	for n in 1 2; do
		if [ "$1" = tso ]; then
			ovs_vsctl add-port br0 "vm$n" -- set Interface "vm$n" type=dpdkvhostuserclient \
				options:vhost-server-path="$RUN/vm$n.sock" ofport_request=$n || return 1
			continue
		fi
		ovs_vsctl add-port br0 "vm$n.sock" -- set Interface "vm$n.sock" type=dpdkvhostuser \
			ofport_request=$n || return 1
		ln -sf "$dir/vm$n.sock" "$RUN/vm$n.sock"
		wait_for 10 test -S "$dir/vm$n.sock" || return 1
	done
	case $1 in
	conntrack | storm) ovs_conntrack_flows >>"$RUN/ovs.log" 2>&1 || return 1 ;;
	esac
	[ "$1" != storm ] ||
		ovs_vsctl --id=@netdev create Datapath datapath_version=0 -- \
			set Open_vSwitch . datapaths:netdev=@netdev -- \
			add-zone-tp netdev zone=1 udp_first=1 udp_single=1 udp_multiple=1 >/dev/null
}
ovs_stop() { :; }

ovs_connections() { ovs_appctl dpctl/ct-get-nconns; }

# Per packet, of what it spent on packets; from its start on.
ovs_cycles() {
	ovs_appctl dpif-netdev/pmd-stats-show -pmd "$SWITCH_CORE" |
		sed -n 's/.*avg processing cycles per packet: \([0-9.]*\).*/\1/p' | head -n 1
}

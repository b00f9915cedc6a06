# More ports than two.

# 62 guests are attached to other processes, and send nothing.
row_ports_64() {
	compare ports-64 "64 ports, 62 of them idle; firewall on, 1,000 flows" Mpps "$MPPS" \
		"-f 1000 -w $WARMUP -d $EACH" vswitch:ports64 "vswitch:fw20>=0.9"
}

# From host to host.
row_uplink() {
	row uplink "two hosts joined by a veth pair, firewall on, 1,000 flows: no figure of speed" Mpps uplink:veth
	in_turn uplink measure "$MPPS" -f 1000 -w $WARMUP -d "$EACH"
}

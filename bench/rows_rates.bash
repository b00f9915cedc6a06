# How many packets a second pass between two guests: bare, by the firewall, by many flows and rules.
run="-w $WARMUP -d $EACH"

row_l2_1() {
	compare l2-1 "L2, firewall off, 1 flow" Mpps "$MPPS" "-f 1 $run" vswitch:off "testpmd:io>=0.9" ovs:normal
}

row_fw_1000() {
	compare fw-1000 "firewall on, 1,000 flows" Mpps "$MPPS" "-f 1000 $run" vswitch:fw20 \
		"testpmd:io>=0.75" "ovs:normal>=1.25" "ovs:conntrack>=3.5"
}

row_fw_100000() {
	compare fw-100000 "firewall on, 100,000 flows" Mpps "$MPPS" "-f 100000 $run" vswitch:fw20 \
		"testpmd:io>=0.6" "ovs:normal>=1.6" "ovs:conntrack>=5"
}

# Before the warm-up is over, all connections are to be there.
row_fw_1000000() {
	compare fw-1000000 "firewall on, 1,000,000 flows" Mpps "$MPPS" "-f 1000000 -w 8 -d $EACH" \
		vswitch:fw20 "ovs:conntrack>=4"
}

row_fw_1518() {
	compare fw-1518 "firewall on, 1518 bytes, 1,000 flows" Mpps "$MPPS" "-f 1000 -s 1518 $run" vswitch:fw20 \
		"testpmd:io>=0.75" ovs:conntrack
}

row_rules_10000() {
	compare rules-10000 "10,000 rules instead of 20, established" Mpps "$MPPS" "-f 1000 $run" \
		vswitch:fw10000 "vswitch:fw20>=0.95"
}

# TCP segments that no one cuts.
row_gso() {
	compare gso "64 KiB GSO frames" Gb/s '.all.received_bps / 1e9' "-t tcp -f 8 --tso 1448 -s 64000 -1 $run" \
		vswitch:fw20 "ovs:tso>=1"
}

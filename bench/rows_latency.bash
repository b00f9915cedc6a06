# How long a packet takes, at a rate that both sides can do.

# Half of what Open vSwitch forwards as fast as it goes, a port, into $RUN/rate. Not for a subshell:
# that would leave it running.
half_of_ovs() {
	start ovs:normal 1000 && generate -f 1000 -w $WARMUP -d "$EACH" >"$RUN/result" &&
		jq '.all.received_pps / 4 | floor' "$RUN/result" >"$RUN/rate"
}

row_latency() {
	have ovs:normal && half_of_ovs || return 0
	compare latency "latency, p99, at half of OVS's highest rate" us '.latency.p99_ns / 1e3' \
		"-f 1000 -r $(<"$RUN/rate") -l -w $WARMUP -d $EACH" vswitch:fw20 "ovs:normal<=1"
}

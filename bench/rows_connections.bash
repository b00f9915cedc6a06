# New connections a second, with room for as many on both sides, and a second of life for each. The
# first second fills the table; what counts begins after the first has expired, and goes on for 20 s.
storm="-t storm -1 -w 2 -d $((EACH > 2 ? 20 : EACH))"
STORM_RATE='.storm.delivered / .seconds / 1e6'

row_new() {
	compare new "new connections with expiry" M/s "$STORM_RATE" "$storm" vswitch:storm "ovs:storm>=3"
}

row_new_10000() {
	compare new-10000 "10,000 rules instead of 20, new connections" M/s "$STORM_RATE" "$storm" \
		vswitch:storm10000 "vswitch:storm>=0.7"
}

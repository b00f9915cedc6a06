# SMB2 inspected, by the rules of SMB_RULES and the invariants: out of files, and beside the bare scan.
row_smb_file() { smb_file smb-file read; }
row_smb_file_write() { smb_file smb-file-write write; }

smb_file() { # ID read|write
	suricata_prepare "$2"
	row "$1" "SMB2 ${2}s out of a file, inspected, ${SMB_RULES##*/}" Gb/s vswitch:file "suricata:file>=3"
	in_turn "$1" suricata_measure
	rm -f "$RUN/large.pcap"
}

row_smb_scan() {
	row smb-scan "SMB2 writes inspected, beside the scan alone, ${SMB_RULES##*/}" B/cycle vswitch:detect \
		"hyperscan:scan>=0.5"
	in_turn smb-scan hyperscan_measure
}

# inspected_all ID VARIANT: every byte of payload was inspected, and the marker found in the last block of
# each connection, of the warm-up and of the run; else there is no figure. Segments that were sent again
# may be inspected again.
inspected_all() {
	local bytes found
	[[ $2 == *smb* ]] || return 0
	bytes=$(vswitch_ctl status -j | jq .inspection.bytes)
	found=$(vswitch_ctl rules stats -j | jq "[.rules[] | select(.sid == $MARKER_SID) | .alerts] | add")
	jq -e --argjson bytes "$bytes" --argjson found "$found" '(.smb // .mix) |
		$bytes >= .payload_total and $bytes <= .payload_total + .repeated_total * 1460 and
		$found == 2 * .connections and .reset == 0' "$RUN/result" >/dev/null || {
		say "$1: no figure of $2: $bytes bytes inspected, $found markers found: $(jq -c '.smb // .mix' "$RUN/result")"
		return 1
	}
}

# smb_measure ID VARIANT ROUND JQ OPTION...: as measure, and a figure only where all was inspected.
smb_measure() {
	local id=$1 variant=$2 round=$3 value=$4
	shift 4
	[[ $variant != *-zeros ]] || set -- "$@" --smb-data zeros
	start "$variant" && generate "$@" --smb-marker "$MARKER" >"$RUN/result" || {
		say "$id: no figure of $variant: $(tail -n 1 "$RUN/pktgen.log")"
		return
	}
	inspected_all "$id" "$variant" && record "$id" "$variant" "$round" "$RUN/result" "$value"
}

# Between two guests, eight connections, blocks of 64 KiB. Zeros are to come at half of the rate of random
# data at least.
smb_live() { # ID read|write MORE-OPTIONS TITLE
	row "$1" "SMB2 ${2}s between two guests, inspected, random beside zeros and not inspected, $4" Gb/s \
		vswitch:smb "vswitch:smb-zeros<=2" vswitch:fw20
	# shellcheck disable=SC2086 # options are words
	in_turn "$1" smb_measure '.smb.data_bps / 1e9' -t smb -f 8 --smb "$2" -w $WARMUP -d "$EACH" $3
}
row_smb_read() { smb_live smb-read read "" "1518 bytes"; }
row_smb_write() { smb_live smb-write write "" "1518 bytes"; }
row_smb_write_tso() { smb_live smb-write-tso write "--tso 1448" "TSO"; }

# UDP of 64 bytes between two guests, as fast as it goes, and a part of all packets SMB between two others:
# what the inspection of these costs the UDP, beside the same traffic without inspection. In mixed-bytes
# ten percent of all bytes are of SMB, its acknowledgements included.
row_mixed() { mixed mixed "10 % of all packets" 10; }
row_mixed_bytes() { mixed mixed-bytes "10 % of all bytes" 0.7; }

mixed() { # ID TITLE PERCENT-OF-PACKETS
	row "$1" "UDP of 64 bytes beside SMB inspected or not, which is $2" Mpps vswitch:mixed-smb "vswitch:mixed>=0.9"
	in_turn "$1" smb_measure '.mix.others_pps / 1e6' -t mix -f 1000 --smb write --smb-share "$3" -w $WARMUP \
		-d "$EACH" -p "$RUN/vm3.sock" -p "$RUN/vm4.sock"
}

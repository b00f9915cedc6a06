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

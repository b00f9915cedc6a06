# Suricata 7, one thread, over a capture of SMB2 reads or writes; ours over the same file (vswitchd
# --replay), by the same rules. Both take the time that a large file needs more than a small one: so
# starting and compiling rules do not count. Cycles are of a segment of 1,460 bytes.
suricata_have() {
	[[ $(suricata -V 2>/dev/null) =~ version\ 7\. ]] || { echo "no Suricata 7 (tests/deps_suricata.sh)"; return 1; }
}
suricata_settings() { echo "runmode single, Hyperscan, all of each stream, no checksums, alerts only"; }
SMB_MIB=${SMB_MIB:-512} # of the large file; the small one has 1

suricata_configuration() {
	cat <<-END
		%YAML 1.1
		---
		vars:
		  address-groups: {HOME_NET: any, EXTERNAL_NET: any, HTTP_SERVERS: any, SMTP_SERVERS: any,
		    SQL_SERVERS: any, DNS_SERVERS: any, TELNET_SERVERS: any, DC_SERVERS: any}
		  port-groups: {HTTP_PORTS: "80", SHELLCODE_PORTS: "!80", ORACLE_PORTS: 1521, SSH_PORTS: 22,
		    FTP_PORTS: 21, FILE_DATA_PORTS: "[\$HTTP_PORTS,110,143]"}
		outputs: [{eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [alert]}}]
		mpm-algo: hs
		spm-algo: hs
		max-pending-packets: 4096
		detect: {profile: high}
		stream: {memcap: 1gb, checksum-validation: no, reassembly: {memcap: 2gb, depth: 0}}
		app-layer: {protocols: {smb: {enabled: yes, detection-ports: {dp: "139, 445"}, stream-depth: 0},
		  dcerpc: {enabled: yes}}}
	END
}

suricata_reads() { # CAPTURE
	taskset -c $SWITCH_CORE,$GENERATOR_CORE suricata -c "$RUN/suricata.yaml" --runmode single -k none -r "$1" -S "$RUN/theirs.rules" -l "$RUN/logs" \
		>"$RUN/suricata.log" 2>&1
}

vswitch_reads() { # CAPTURE; false also where not every byte of payload was inspected
	taskset -c $SWITCH_CORE "$BUILD/vswitchd" -c "$RUN/replay.yaml" --replay "$1" >"$RUN/replayed" 2>"$RUN/vswitch.log" &&
		[ "$(jq .inspection.status.bytes "$RUN/replayed")" -ge "$(cat "$1.bytes")" ]
}

# What it takes, in nanoseconds.
suricata_time() { # COMMAND CAPTURE
	local began
	began=$(date +%s%N)
	"$@" || return 1
	echo $(($(date +%s%N) - began))
}

suricata_measure() { # ID VARIANT ROUND
	local large small bytes reader=${2%%:*}_reads
	small=$(suricata_time "$reader" "$RUN/small.pcap") && large=$(suricata_time "$reader" "$RUN/large.pcap") || {
		say "$1: no figure of $2: $(tail -n 2 "$RUN/${2%%:*}.log")"
		return
	}
	[ "$large" -gt "$small" ] || {
		say "$1: no figure of $2: other programs took more time than the file"
		return
	}
	bytes=$(($(cat "$RUN/large.pcap.bytes") - $(cat "$RUN/small.pcap.bytes")))
	jq -cn --arg row "$1" --arg variant "$2" --argjson round "$3" --argjson ns $((large - small)) \
		--argjson bytes $bytes \
		--argjson mhz "$(sed -n 's/^cpu MHz[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		'{row: $row, variant: $variant, round: $round, value: ($bytes * 8 / $ns),
		cycles: ($ns * $mhz / 1000 / ($bytes / 1460))}' >>"$RUN/measured"
}

# suricata_prepare read|write: rules, configurations and captures for both.
suricata_prepare() {
	loadable_rules >"$RUN/smb.rules" || fail "rules check: $(<"$RUN/check")"
	sed 's/^drop /alert /' "$RUN/smb.rules" >"$RUN/theirs.rules"
	suricata_configuration >"$RUN/suricata.yaml"
	mkdir -p "$RUN/logs"
	cat >"$RUN/replay.yaml" <<-END
		vswitch: {workers: [$SWITCH_CORE], hugepages: no, buffers: 16384, connections: 65536, rules: $RUN}
		networks: [{name: lan, tenant: bench}]
		ports:
		  - {name: left, network: lan, kernel: {interface: left}, default-in: allow}
		  - {name: right, network: lan, kernel: {interface: right}, default-in: allow}
		inspection: [{tenant: bench, rules: [smb.rules], mode: detect}]
	END
	"$BUILD/bench/smb_capture" "$RUN/small.pcap" "$1" 1 >"$RUN/small.pcap.bytes" &&
		"$BUILD/bench/smb_capture" "$RUN/large.pcap" "$1" "$SMB_MIB" >"$RUN/large.pcap.bytes" ||
		fail "no capture"
}

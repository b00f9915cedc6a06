# A Samba server of the test's own, and a client: source it after lib.bash. Everything of it is under
# $RUN/samba; no file of the system is read or written but the programs.

SAMBA=$RUN/samba
SHARE=$SAMBA/share
SAMBA_PASSWORD=vswitch-test
SMBD_PID=
MARKER=VSWITCH-TEST-MARKER-6f2d90c1
MARKER_SID=9999001

# smb_inspection: the configuration's section: prevent, with the rules that come with vswitch, those
# of the SMB set beside the project where that is at hand, and one for a marker in files. No budgets:
# the worker shares its core with all the rest of the test, so time says nothing about its work.
smb_inspection() {
	local public=${VSWITCH_SHARED:-$TESTS/../../shared}/rules/et-open-20210820-smb-subset.rules
	if [ -e "$public" ]; then public=$(realpath "$public"); else public=; fi
	cat >"$RUN/marker.rules" <<-END
		drop smb any any -> any any (msg:"test marker in a file"; flow:established; file.data; content:"$MARKER"; sid:$MARKER_SID; rev:1;)
	END
	cat <<-END
		inspection:
		  - tenant: acme
		    mode: prevent
		    rules: [$(realpath "$TESTS/../rules/smb.rules"), $RUN/marker.rules${public:+, $public}]
		    skip-unsupported: true
		    quarantine: {level: service}
		    budget: {packet: 1s, port: 100, tenant: 100}
	END
}

# samba_start NAMESPACE: smbd there, for all dialects from NT1 on; it shares $SHARE as `share`. One
# account, root's, since the kernel must know the user; its password is in a file of the test's own.
samba_start() {
	local dir
	command -v smbd >/dev/null || skip "smbd is not installed (make deps)"
	for dir in share private lock state cache pid ncalrpc; do
		mkdir -p "$SAMBA/$dir"
	done
	chmod 700 "$SAMBA/private"
	cat >"$SAMBA/smb.conf" <<-END
		[global]
		server role = standalone server
		netbios name = vswitch
		workgroup = TEST
		private dir = $SAMBA/private
		lock directory = $SAMBA/lock
		state directory = $SAMBA/state
		cache directory = $SAMBA/cache
		pid directory = $SAMBA/pid
		ncalrpc dir = $SAMBA/ncalrpc
		log file = $SAMBA/smbd.log
		max log size = 0
		passdb backend = tdbsam:$SAMBA/private/passdb.tdb
		usershare max shares = 0
		smb ports = 445 139
		server min protocol = NT1
		server smb encrypt = if_required
		map to guest = never
		load printers = no
		printing = bsd
		printcap name = /dev/null
		disable spoolss = yes
		dns proxy = no
		host msdfs = no
		[share]
		path = $SHARE
		read only = no
	END
	printf '%s\n%s\n' "$SAMBA_PASSWORD" "$SAMBA_PASSWORD" |
		smbpasswd -c "$SAMBA/smb.conf" -s -a root >"$SAMBA/smbpasswd" 2>&1 ||
		fail "smbpasswd: $(cat "$SAMBA/smbpasswd")"
	spawn_ns "$1" smbd --foreground --no-process-group -s "$SAMBA/smb.conf" \
		-l "$SAMBA" >"$SAMBA/smbd.out" 2>&1 </dev/null
	SMBD_PID=$SPAWNED
	wait_for 20 samba_listens "$1"
}

samba_listens() {
	kill -0 "$SMBD_PID" 2>/dev/null || fail "smbd ended: $(cat "$SAMBA/smbd.out" "$SAMBA/smbd.log")"
	in_ns "$1" ss -ltn | grep -q :445
}

# Client options by name. The least and the highest dialect are the same, so no other is spoken.
declare -A DIALECTS=(
	[nt1]="-m NT1 --option=clientminprotocol=NT1"
	[netbios]="-p 139 -m NT1 --option=clientminprotocol=NT1"
	[smb2]="-m SMB2_10 --option=clientminprotocol=SMB2_10"
	[smb3]="-m SMB3_11 --option=clientminprotocol=SMB3_11"
	[signed]="-m SMB3_11 --option=clientminprotocol=SMB3_11 --client-protection=sign"
	[encrypted]="-m SMB3_11 --option=clientminprotocol=SMB3_11 --client-protection=encrypt"
)

# smb_from NAMESPACE ADDRESS DIALECT COMMANDS: of smbclient, which may read standard input; what it
# says is in $RUN/smbclient or $SMB_SAYS.
smb_from() {
	local options
	read -ra options <<<"${DIALECTS[$3]}"
	in_ns "$1" timeout "${SMB_TIMEOUT:-60}" smbclient "//$2/share" -s "$SAMBA/smb.conf" -t 30 \
		-U "root%$SAMBA_PASSWORD" "${options[@]}" -c "$4" >"${SMB_SAYS:-$RUN/smbclient}" 2>&1
}
smb() { smb_from "$@" </dev/null; }

smb_ok() {
	smb "$@" || fail "smbclient from $1 to $2, $3, $4: $(tail -n 20 "$RUN/smbclient")"
}

# smb_tree_make DIRECTORY COUNT: that many files of many sizes, in directories three deep.
smb_tree_make() {
	local i
	head -c 2000000 /dev/urandom >"$RUN/bytes"
	for ((i = 0; i < $2; i++)); do
		((i % 20)) || mkdir -p "$1/d$((i / 100))/e$((i / 20))"
		tail -c +$((i * 977 + 1)) "$RUN/bytes" | head -c $((i * i % 9973)) \
			>"$1/d$((i / 100))/e$((i / 20))/file$i"
	done
}

# smb_tree NAMESPACE ADDRESS DIALECT TREE: up, down again, and compared.
smb_tree() {
	rm -rf "${SHARE:?}"/* "$RUN/down"
	mkdir "$RUN/down"
	smb_ok "$1" "$2" "$3" "lcd $4; recurse on; prompt off; mput *"
	diff -r "$4" "$SHARE" || fail "$3: what the server got is not what was sent"
	smb_ok "$1" "$2" "$3" "lcd $RUN/down; recurse on; prompt off; mget *"
	diff -r "$4" "$RUN/down" || fail "$3: what the client got is not what was sent"
}

# smb_file NAMESPACE ADDRESS DIALECT FILE: the same with one file.
smb_file() {
	rm -rf "${SHARE:?}"/* "$RUN/down"
	smb_ok "$1" "$2" "$3" "put $4 file; get file $RUN/down"
	cmp "$4" "$SHARE/file" || fail "$3: the file that the server got is not the one sent"
	cmp "$4" "$RUN/down" || fail "$3: the file that the client got is not the one sent"
}

# smb_marked FILE COPY: FILE with the marker in it, across the border of two writes of 64 KiB.
smb_marked() {
	local at=$(((64 << 10) * 15 - 9))
	head -c "$at" "$1" >"$2"
	printf %s "$MARKER" >>"$2"
	tail -c +$((at + ${#MARKER} + 1)) "$1" | head -c 1000000 >>"$2"
}

has_marker() { [ -e "$1" ] && grep -qF "$MARKER" "$1"; }

# smb_stopped NAMESPACE ADDRESS DIALECT FILE: neither does FILE with its marker get to the server, nor
# from there; what was sent before the marker may.
smb_stopped() {
	local SMB_TIMEOUT=15
	rm -rf "${SHARE:?}"/* "$RUN/down"
	smb "$1" "$2" "$3" "iosize 65536; put $4 marked" && fail "$3: the marker could be sent"
	has_marker "$SHARE/marked" && fail "$3: the marker has reached the server"
	cp "$4" "$SHARE/marked"
	smb "$1" "$2" "$3" "iosize 65536; get marked $RUN/down" && fail "$3: the marker could be fetched"
	has_marker "$RUN/down" && fail "$3: the marker has reached the client"
	return 0
}

alerts() { jq -c 'select(.event_type == "alert")' "$RUN/eve.json"; }
alerts_of_marker() { alerts | grep -c "\"signature_id\": *$MARKER_SID" || true; }
has_alerts_of_marker() { [ "$(alerts_of_marker)" -ge "$1" ]; }

# smb_inspected: nothing was dropped for what it is, nobody was cut off, and nothing but the marker was
# more than told of. (What is too far ahead of a gap, or too much under way, is sent again.)
smb_inspected() {
	local wrong
	wrong=$(ctl drops -j | jq -c '.[] | select(.reason | test("^(inspect|stream|quarantined)")) |
		select(.reason | IN("stream_ahead", "stream_window") | not)')
	[ -z "$wrong" ] || fail "dropped: $wrong"
	[ "$(ctl quarantine list -j)" = "[]" ] || fail "cut off: $(ctl quarantine list)"
	wrong=$(alerts | jq -c "select(.alert.action != \"allowed\" and .alert.signature_id != $MARKER_SID)")
	[ -z "$wrong" ] || fail "alerts that block: $wrong"
	alerts | jq -r '"   alert \(.alert.signature_id): \(.alert.signature)"' | sort | uniq -c
}

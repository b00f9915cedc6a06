#!/bin/bash
# Rules are reloaded while Samba's traffic goes on over two workers: nothing is dropped, each worker
# says which revision it runs, a new rule stops what it is for, a bad file changes nothing, and a
# second start finds them compiled.
WORKERS="0, $(($(nproc) - 1))"
[ "$(nproc)" -gt 1 ] || WORKERS=0
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/samba.bash"

ns_add a
ns_add b
# All or nothing: the marker's rule, and enough others that compiling takes its time.
inspection() {
	smb_inspection | sed -e '/skip-unsupported/d' -e "s#rules: .*#rules: [$RUN/marker.rules, $RUN/many.rules]#"
	for i in $(seq 2000); do
		echo "alert smb any any -> any any (msg:\"many\"; content:\"never-sent-many-$i-of-them\"; sid:$((10000 + i));)"
	done >"$RUN/many.rules"
}
switch_start <<END
networks:
  - {name: office, tenant: acme}
ports:
$(port_yaml a office)
$(port_yaml b office)
$(inspection)
END
for i in a:1 b:2; do
	ip -n "$(ns ${i%:*})" address add 10.0.0.${i#*:}/24 dev net0
	ip -n "$(ns ${i%:*})" link set net0 up
done
rules() { ctl rules status -j | jq -r "$1"; }
ready() { [ "$(rules '.tenants[0].state')" = ready ]; }
wait_for 60 ready
samba_start b
head -c $((64 << 20)) /dev/urandom >"$RUN/large"
head -c $((2 << 20)) "$RUN/large" >"$RUN/part"
cp "$RUN/marker.rules" "$RUN/kept.rules"

note "transfers of 64 MiB up and down go on over reloads; each is run by every worker when it is done"
before=$(rules .revision)
# What is too much under way is sent again, reload or not.
drops() { ctl drops -j | jq -c '.[] | select(.reason | IN("stream_ahead", "stream_window") | not)'; }
dropped=$(drops)
# transfers: until there have been enough reloads, however fast the machine moves a file.
transfers() {
	local i
	for ((i = 0; i < 100; i++)); do
		smb a 10.0.0.2 smb3 "put $RUN/large file; get file $RUN/fetched" || return 1
		[ ! -e "$RUN/enough" ] || return 0
	done
	echo "100 transfers, and not enough reloads" >"$SMB_SAYS"
	return 1
}
SMB_SAYS=$RUN/other transfers &
other=$!
PIDS+=("$other")
reloads=0
while kill -0 "$other" 2>/dev/null && [ "$reloads" -lt 200 ]; do
	reloads=$((reloads + 1))
	{
		cat "$RUN/kept.rules"
		echo "alert smb any any -> any any (msg:\"not there\"; content:\"never-sent-$reloads\"; sid:$((9000 + reloads));)"
	} >"$RUN/marker.rules"
	ctl rules reload >"$RUN/reload" || fail "reload: $(cat "$RUN/reload")"
	revision=$(rules .revision)
	[ "$revision" = $((before + reloads)) ] || fail "revision $revision after $reloads reloads"
	wrong=$(rules ".workers[] | select(.revision != $revision)")
	[ -z "$wrong" ] || fail "a worker does not run revision $revision: $wrong"
	[ "$reloads" -lt 5 ] || touch "$RUN/enough"
done
wait "$other" || fail "the transfer broke off: $(tail "$RUN/other")"
cmp "$RUN/large" "$SHARE/file" || fail "the file that the server got is not the one sent"
cmp "$RUN/large" "$RUN/fetched" || fail "the file that the client got is not the one sent"
[ "$reloads" -ge 5 ] || fail "only $reloads reloads during the transfers"
[ "$(drops)" = "$dropped" ] || fail "dropped: $(drops), before: $dropped"
echo "   $reloads reloads, $SECONDS s"

note "old ones go when nothing uses them"
no_retired() { [ "$(rules .retired)" = 0 ]; }
wait_for 20 no_retired

note "a file that is refused changes nothing, and is named"
revision=$(rules .revision)
echo 'drop smb any any -> any any (msg:"bad"; asn1:oversize_length 4; sid:4711;)' >>"$RUN/marker.rules"
ctl rules reload >"$RUN/reload" 2>&1
[ $? = 3 ] || fail "a bad file is taken: $(cat "$RUN/reload")"
grep -q "marker.rules:3: .*sid 4711: asn1" "$RUN/reload" || fail "not named: $(cat "$RUN/reload")"
[ "$(rules .revision)" = "$revision" ] || fail "the revision changed"
smb_marked "$RUN/large" "$RUN/marked"
smb_stopped a 10.0.0.2 smb3 "$RUN/marked"

note "without its rule the marker passes, with it not"
echo '# none' >"$RUN/marker.rules"
ctl rules reload || fail "reload"
smb_file a 10.0.0.2 smb3 "$RUN/marked"
cp "$RUN/kept.rules" "$RUN/marker.rules"
ctl rules reload --no-wait || fail "reload"
reloaded() { [ "$(rules .reload.state)" = done ]; }
wait_for 60 reloaded
smb_stopped a 10.0.0.2 smb3 "$RUN/marked"
ctl rules list --filter "$MARKER_SID" | grep -q "test marker in a file" || fail "not listed"
ctl rules stats -j | jq -e ".rules[] | select(.sid == $MARKER_SID and .matches >= 1)" >"$RUN/row" ||
	fail "no cost: $(ctl rules stats)"

assert_ledger
switch_stop
note "a second start finds them compiled"
switch_spawn
wait_for 60 ready
[ "$(rules '.tenants[0].cached')" = true ] || fail "compiled again: $(ctl rules status)"
switch_stop

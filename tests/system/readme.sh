#!/bin/bash
# README.md tells the truth: its YAML examples load, the first one runs, every vswitch-ctl line of
# it succeeds in order, and what it links to is there. Paths, the core and
# the interface's name are the test's own.
. "$(dirname "$0")/lib.bash"

root=$TESTS/..
readme=$root/README.md
last=$(($(nproc) - 1))

# What the reader would have to change on this machine, too.
own_paths() {
	sed -e "s|/etc/vswitch/vswitch.yaml|$RUN/vswitch.yaml|g" -e "s|/run/vswitch/ctl.sock|$SOCK|g" \
		-e "s|/run/vswitch/|$RUN/run/|g" -e "s|/var/log/vswitch/|$RUN/log/|g" \
		-e "s|vsw-dhcp|vd$$|g" -e "s|workers: \[1\]|workers: [$last]|" \
		-e "s|\(worker move .*\) 1 |\1 $last |"
}

note "YAML examples"
mkdir "$RUN/yaml"
awk -v to="$RUN/yaml" '/^```yaml$/ { file = to "/" ++n; next } /^```/ { file = "" }
	file { print > file }' "$readme"
examples=("$RUN"/yaml/*)
[ ${#examples[@]} -ge 2 ] || fail "only ${#examples[@]} YAML examples in README.md"
for example in "${examples[@]}"; do
	own_paths <"$example" >"$example.own"
	# A host without libvirt has no such group.
	getent group libvirt-qemu >/dev/null || sed -i 's/group: libvirt-qemu/group: root/' "$example.own"
	ctl config check "$example.own" || fail "an example of README.md is refused: $(cat "$example")"
done

note "the first of them runs"
sed "s|^vswitch:|&\n  state: $RUN/state\n  hugepages: no\n  buffers: 16384|" "$RUN/yaml/1.own" \
	>"$RUN/vswitch.yaml"
switch_spawn
[ "$(ctl status -j | jq .revision)" = 1 ] || fail "not applied: $(ctl status)"

note "every vswitch-ctl line"
awk '/^## vswitch-ctl/ { on = 1; next } /^## / { on = 0 } on && /^    vswitch-ctl / { print }' "$readme" |
	own_paths | sed -e 's/^ *vswitch-ctl //' -e 's/ *#.*//' >"$RUN/lines"
count=$(wc -l <"$RUN/lines")
[ "$count" -ge 15 ] || fail "only $count vswitch-ctl lines in README.md"
while read -r -a words <&3; do
	# The reader has edited the file before applying it; what awaits confirmation is that.
	[ "${words[*]:0:2}" != "config apply" ] ||
		sed -i 's/unknown-unicast: drop/&, mac-age: 60s/' "$RUN/vswitch.yaml"
	ctl "${words[@]}" >"$RUN/output" 2>&1 || fail "vswitch-ctl ${words[*]}: exit $?: $(cat "$RUN/output")"
	[ -s "$RUN/output" ] || [[ ${words[0]} =~ fdb|drops|conn ]] || [ "${words[1]:-}" = diff ] ||
		fail "vswitch-ctl ${words[*]} says nothing"
done 3<"$RUN/lines"
ctl config show | grep -q 'name: lab' || fail "lab is gone: $(ctl config show)"
ctl config show | grep -q 'mac-age: 60' && fail "config rollback left the change: $(ctl config show)"

note "links lead somewhere"
grep -o '](\([^)#]*\)' "$readme" | sed 's/^](//' | grep -v '^http' | sort -u >"$RUN/links"
[ -s "$RUN/links" ] || fail "no links in README.md"
while read -r link; do
	[ -e "$root/$link" ] || fail "README.md links to $link, which is not there"
done <"$RUN/links"

assert_ledger
switch_stop

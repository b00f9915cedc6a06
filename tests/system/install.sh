#!/bin/bash
# `make install` with a PREFIX of its own, packaged below DESTDIR: what it puts where and with which
# rights, and that what was installed runs from there. Builds only what knows the prefix.
. "$(dirname "$0")/lib.bash"

ROOT=$TESTS/..
PREFIX=/opt/vs.$$
DEST=$RUN/dest
BUILT=$RUN/build

# A copy of the build that is there, with the times of its files, so that make finds only what knows
# PREFIX to be made again.
mkdir -p "$BUILT/obj"
(cd "$VSWITCH_BUILD" && cp -a --parents obj/{ctl,dataplane,drivers,rules,bench} "$BUILT") ||
	fail "cannot copy $VSWITCH_BUILD"
for part in vswitchd vswitch-ctl vswitch-ctl.1 vswitch-pktgen libvswitch.a libpktgen.a libctl.a skeleton; do
	[ ! -e "$VSWITCH_BUILD/$part" ] || cp -a "$VSWITCH_BUILD/$part" "$BUILT"
done
find "$BUILT" -name '*.d' -exec sed -i "s|$VSWITCH_BUILD/|$BUILT/|g" {} +
SAN=0
grep -q __asan_init "$BUILT/vswitchd" && SAN=1

installs() {
	env -u MAKEFLAGS -u MAKELEVEL make -C "$ROOT" BUILD="$BUILT" SAN="$SAN" DESTDIR="$DEST" \
		PREFIX="$PREFIX" install >"$RUN/make.log" 2>&1 ||
		fail "make install: $(tail -n 20 "$RUN/make.log")"
}
umask 022
installs

note "every file, with its rights, and no other"
cat >"$RUN/expected" <<-END
	755 sbin/vswitchd
	755 bin/vswitch-ctl
	755 bin/vswitch-pktgen
	644 share/man/man1/vswitch-ctl.1
	644 share/man/man1/vswitch-pktgen.1
	644 share/man/man5/vswitchd.yaml.5
	644 share/man/man8/vswitchd.8
	644 share/vswitch/rules/classification.config
	644 share/bash-completion/completions/vswitch-ctl
	644 lib/systemd/system/vswitchd.service
END
for rules in "$ROOT"/rules/*.rules; do
	echo "644 share/vswitch/rules/${rules##*/}"
done >>"$RUN/expected"
(cd "$DEST$PREFIX" && find . -type f -printf '%m %P\n') | sort >"$RUN/found"
sort "$RUN/expected" | diff - "$RUN/found" >"$RUN/difference" || fail "$(cat "$RUN/difference")"
[ -z "$(find "$DEST" -path "$DEST$PREFIX" -prune -o -type f -print)" ] || fail "files outside of $PREFIX"
[ -z "$(find "$DEST" -type d ! -perm 755)" ] || fail "folders that not everybody may enter"
[ ! -e "$PREFIX" ] || fail "$PREFIX was made in spite of DESTDIR"

note "what was installed runs, and knows its rules"
SBIN=$DEST$PREFIX/sbin BIN=$DEST$PREFIX/bin
"$SBIN/vswitchd" --version >"$RUN/version" || fail "vswitchd --version"
grep -q '^vswitchd [0-9]' "$RUN/version" || fail "$(cat "$RUN/version")"
"$BIN/vswitch-ctl" help >"$RUN/help" || fail "vswitch-ctl help"
grep -q 'uplink list' "$RUN/help" || fail "$(cat "$RUN/help")"
"$BIN/vswitch-pktgen" --help >"$RUN/help" 2>&1 || fail "vswitch-pktgen --help: $(cat "$RUN/help")"
for program in "$SBIN/vswitchd" "$BIN/vswitch-ctl"; do
	grep -qF "$PREFIX/share/vswitch/rules" "$program" || fail "$program does not know $PREFIX"
	grep -qF "/usr/local/share/vswitch" "$program" && fail "$program knows /usr/local"
done
for rules in "$DEST$PREFIX"/share/vswitch/rules/*.rules; do
	"$BIN/vswitch-ctl" rules check "$rules" --classes "${rules%/*}/classification.config" \
		>"$RUN/rules" || fail "$rules: $(cat "$RUN/rules")"
done

note "pages, completion and unit"
for page in "$DEST$PREFIX"/share/man/man*/*; do
	[ -z "$(groff -man -ww -Tutf8 "$page" 2>&1 >/dev/null)" ] || fail "$(groff -man -ww -Tutf8 "$page" 2>&1 >/dev/null)"
done
grep -q "$PREFIX/share/vswitch/rules" "$DEST$PREFIX/share/man/man5/vswitchd.yaml.5" ||
	fail "vswitchd.yaml(5) does not say where the rules are"
(
	. "$DEST$PREFIX/share/bash-completion/completions/vswitch-ctl"
	PATH=$BIN:$PATH COMP_WORDS=(vswitch-ctl upl) COMP_CWORD=1
	_vswitch_ctl
	[ "${COMPREPLY[*]}" = uplink ]
) || fail "the completion does not complete"
unit=$DEST$PREFIX/lib/systemd/system/vswitchd.service
grep -qx "ExecStart=$PREFIX/sbin/vswitchd -c /etc/vswitch/vswitch.yaml" "$unit" ||
	fail "the unit starts another vswitchd: $(grep ExecStart "$unit")"
if command -v systemd-analyze >/dev/null; then
	# It looks for the program, which is not where it will be.
	sed "s|$PREFIX/sbin|$SBIN|" "$unit" >"$RUN/vswitchd.service"
	systemd-analyze verify --man=no "$RUN/vswitchd.service" >"$RUN/verify" 2>&1 ||
		fail "$(cat "$RUN/verify")"
	grep -q "vswitchd.service" "$RUN/verify" && fail "$(cat "$RUN/verify")"
fi

note "again: nothing is another"
(cd "$DEST" && find . -type f -exec sha256sum {} +) | sort >"$RUN/before"
installs
(cd "$DEST" && find . -type f -exec sha256sum {} +) | sort | cmp -s - "$RUN/before" ||
	fail "a second make install gives other files"
exit 0

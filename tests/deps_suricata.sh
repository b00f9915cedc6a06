#!/bin/bash
# Installs Suricata 7 out of Debian's backports where it is missing and can be had, for one test that
# is skipped otherwise: never fails. Backports are asked at the mirror that is configured already, and
# are not added to what is configured.
set -u
[ "$(dpkg-query -W -f '${db:Status-Status}' suricata 2>/dev/null)" != installed ] || exit 0
give_up() {
	echo "no Suricata 7 ($1): the test against it will be skipped"
	exit 0
}
[ "$(id -u)" = 0 ] || give_up "not root"
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ "$release" = bookworm ] || give_up "this is not Debian 12"

parts=$(mktemp -d) || exit 0
trap 'rm -rf "$parts"' EXIT
find /etc/apt/sources.list.d -maxdepth 1 -name '*.list' -o -maxdepth 1 -name '*.sources' |
	xargs -r cp -t "$parts"
backports=$release-backports
awk -v RS= -v release="$release" -v backports="$backports" '
	$0 ~ "(^|\n)Suites:[^\n]* ?" release "( |\n)" {
		sub("(^|\n)Suites:[^\n]*", "\nSuites: " backports)
		print $0 "\n"
	}' "$parts"/*.sources /dev/null >"$parts/backports.sources" 2>/dev/null
cat /etc/apt/sources.list "$parts"/*.list 2>/dev/null |
	sed -n "s/^\(deb .*\) $release main.*/\1 $backports main/p" >"$parts/backports.list"
echo "Installing suricata out of $backports"
apt=(apt-get -o "Dir::Etc::SourceParts=$parts")
export DEBIAN_FRONTEND=noninteractive
log=$parts/log
"${apt[@]}" update >"$log" 2>&1 &&
	"${apt[@]}" install -y --no-install-recommends -t "$backports" suricata >>"$log" 2>&1 || {
	tail -n 5 "$log"
	give_up "it cannot be installed"
}
# The test runs it by itself; nothing else is to.
[ ! -d /run/systemd/system ] || systemctl disable --now suricata >/dev/null 2>&1
exit 0

#!/bin/bash
# Installs what `make bench` compares with, where it is missing and can be had: never fails, as what
# is not there is skipped with a line. None of it is to run by itself.
set -u
cd "$(dirname "$0")/.." || exit 1
tests/deps.sh dpdk || echo "no dpdk-testpmd: its figures will be skipped"
[ ! -x /usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk ] || exit 0
if tests/deps.sh openvswitch-switch-dpdk; then
	[ ! -d /run/systemd/system ] || systemctl disable --now openvswitch-switch >/dev/null 2>&1
else
	echo "no Open vSwitch: its figures will be skipped"
fi
exit 0

# shellcheck shell=bash
# Boots and drives real guests for tests: QEMU machines with one vhost-user network card. Source it
# and set two directories first:
#	GUEST_IMAGE  where build-image.sh has built
#	GUEST_DIR    a private directory of the caller's for sockets and logs; a short path
#
#	guest_start NAME SOCKET MODE MAC IP [OPTION=VALUE ...]   begins to boot
#	guest_wait_up NAME [SECONDS]                             until it takes commands
#	guest_run NAME COMMAND [SECONDS]                         output and exit status of COMMAND
#	guest_spawn NAME TAG COMMAND [TEXT]                      in the background; TEXT: when it says so
#	guest_join NAME TAG [SECONDS]                            its output and exit status
#	guest_qmp NAME JSON [EVENT]                              a command to QEMU's monitor
#	guest_reset NAME          the reset button; then guest_wait_up
#	guest_migrate FROM TO [SECONDS]   TO was started with incoming=1
#	guest_stop NAME           ends QEMU in order
#	guest_kill NAME           kill -9
#	guest_cleanup             kill -9 to all, for the caller's EXIT trap
#	guest_log NAME            what there is to say about a failure
#
# Inside a guest: busybox, and xfer, udp, smb, frame and ethctl (see their usage), with `xfer serve
# 5001` running. All functions return nonzero with a message where they fail, and every wait ends.
# guest_run: 124 where the command took too long, 125 where the guest does not answer.
#
# Call guest_start from the shell itself, not from a subshell or pipe: guests end with the process
# that started them, even one that had no chance to clean up.

# guest_accel: kvm where a guest really boots with it, else tcg. /dev/kvm being there is not enough:
# nested and paravirtual hosts have one that never gets as far as the kernel.
guest_accel() {
	local boot cache=$GUEST_IMAGE/accel found=tcg
	if [ ! -w /dev/kvm ] || ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
		echo tcg
		return
	fi
	boot=$(cat /proc/sys/kernel/random/boot_id)
	if [ "$(cut -d' ' -f1 "$cache" 2>/dev/null)" = "$boot" ]; then
		cut -d' ' -f2 "$cache"
		return
	fi
	if timeout -k 1 10 qemu-system-x86_64 -machine q35,accel=kvm -cpu host -m 128 -display none \
		-nodefaults -no-user-config -kernel "$GUEST_IMAGE/vmlinuz" \
		-initrd "$GUEST_IMAGE/initramfs" -append "quiet guest.probe" >/dev/null 2>&1; then
		found=kvm
	fi
	echo "$boot $found" >"$cache.$$" && mv -f "$cache.$$" "$cache"
	echo "$found"
}

# guest_addresses LIST: 10.0.0.1,fd00::1 as 10.0.0.1/24,fd00::1/64
guest_addresses() {
	local address list=
	for address in ${1//,/ }; do
		case $address in
		*/*) ;;
		*:*) address+=/64 ;;
		*) address+=/24 ;;
		esac
		list+=,$address
	done
	echo "${list#,}"
}

# guest_start NAME SOCKET MODE MAC IP [OPTION=VALUE ...]: MODE is QEMU's own side of SOCKET: server
# or client. QEMU does not run the guest before the other side is there. Several IPs are separated
# by commas. Options:
#	queues=N   queue pairs, and as many processors (1)
#	mtu=N      offered to the guest (host_mtu), which sets its interface to it
#	mem=N      MiB (192)
#	incoming=1 waits for guest_migrate instead of booting
# Any other goes to QEMU's virtio-net-pci as it is: packed=on, mrg_rxbuf=off, csum=off,
# guest_csum=off, guest_tso4=off, indirect_desc=off, event_idx=off, rx_queue_size=1024, ...
guest_start() {
	local name=$1 socket=$2 mode=$3 mac=$4 ip=$5 option queues=1 mem=192 accel
	local at=$GUEST_DIR/$1 card chardev cpu=() incoming=()
	shift 5
	# Without vectors=0 QEMU 7.2 crashes in the MSI-X set-up under emulation.
	card="virtio-net-pci,netdev=net,mac=$mac,romfile=,vectors=0"
	for option in "$@"; do
		case $option in
		queues=*) queues=${option#*=} ;;
		mem=*) mem=${option#*=} ;;
		mtu=*) card+=,host_mtu=${option#*=} ;;
		incoming=1) incoming=(-incoming "unix:$at.migrate") ;;
		*) card+=,$option ;;
		esac
	done
	[ "$queues" = 1 ] || card+=,mq=on
	case $mode in
	server) chardev="socket,id=vhost,path=$socket,server=on,wait=off" ;;
	client) chardev="socket,id=vhost,path=$socket,reconnect=1" ;;
	*)
		echo "guest_start: MODE is server or client, not '$mode'" >&2
		return 2
		;;
	esac
	accel=$(guest_accel)
	[ "$accel" = tcg ] || cpu=(-cpu host)
	# no_timer_check: an emulated guest on a busy machine may be too slow to see its timer tick, and
	# would give up over that.
	rm -f "$at".{serial,qmp,console,log,migrate,pid}
	setpriv --pdeathsig KILL qemu-system-x86_64 -name "$name" \
		-machine "q35,accel=$accel,memory-backend=mem" "${cpu[@]}" -smp "$queues" -m "$mem" \
		-object "memory-backend-memfd,id=mem,size=${mem}M,share=on" \
		-display none -nodefaults -no-user-config \
		-chardev "file,id=console,path=$at.console" -serial chardev:console \
		-chardev "socket,id=serial,path=$at.serial,server=on,wait=off" -serial chardev:serial \
		-qmp "unix:$at.qmp,server=on,wait=off" \
		-chardev "$chardev" -netdev "vhost-user,id=net,chardev=vhost,queues=$queues" \
		-device "$card" "${incoming[@]}" \
		-kernel "$GUEST_IMAGE/vmlinuz" -initrd "$GUEST_IMAGE/initramfs" \
		-append "console=ttyS0 quiet no_timer_check guest.name=$name guest.ip=$(guest_addresses "$ip")" \
		</dev/null >"$at.log" 2>&1 &
	echo $! >"$at.pid"
	disown $! # that the shell says nothing of its end
	guest_poll 20 guest_listens "$name" && guest_alive "$name" && return
	echo "guest_start: QEMU for $name did not start:" >&2
	guest_log "$name" >&2
	return 1
}

# guest_poll SECONDS COMMAND...: until it succeeds; false where it does not in time.
guest_poll() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.05
	done
}

# False where the process of that number has ended.
guest_state() {
	local state
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/${1:-none}/status" 2>/dev/null)
	[ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

guest_pid() { cat "$GUEST_DIR/$1.pid" 2>/dev/null; }

# True while QEMU runs; not fooled by another process that has got its number.
guest_alive() {
	local pid
	pid=$(guest_pid "$1") && guest_state "$pid" &&
		grep -qaF "$GUEST_DIR/$1.qmp" "/proc/$pid/cmdline" 2>/dev/null
}

guest_ended() { ! guest_alive "$1"; }

# It has opened its monitor, or has ended. (Before it begins, its process is still the shell's.)
guest_listens() { [ -S "$GUEST_DIR/$1.qmp" ] || ! guest_state "$(guest_pid "$1")"; }

guest_wait_up() {
	local until=$((SECONDS + ${2:-120}))
	while guest_alive "$1"; do
		"$GUEST_IMAGE/guestctl" wait "$GUEST_DIR/$1.serial" 2 2>/dev/null && return
		[ "$SECONDS" -lt "$until" ] || break
		grep -qa 'Kernel panic' "$GUEST_DIR/$1.console" && break
	done
	echo "guest_wait_up: $1 is not up:" >&2
	guest_log "$1" >&2
	return 1
}

guest_run() { "$GUEST_IMAGE/guestctl" run "$GUEST_DIR/$1.serial" "${3:-30}" "$2"; }

guest_spawn() {
	local name=$1 tag=/tmp/spawn.$2 command=$3 text=${4:-}
	guest_run "$name" "rm -f $tag.*
cat >$tag.sh <<'END-OF-SPAWN'
$command
END-OF-SPAWN
: >$tag.out
(setsid sh $tag.sh >$tag.out 2>&1; echo \$? >$tag.rc~; mv $tag.rc~ $tag.rc) >/dev/null 2>&1 &
i=0
until grep -qF '$text' $tag.out || [ -z '$text' ]; do
	if [ -e $tag.rc ] || [ \$i = 200 ]; then cat $tag.out; exit 1; fi
	i=\$((i + 1)); sleep 0.1
done" 30
}

guest_join() {
	local name=$1 tag=/tmp/spawn.$2 seconds=${3:-30}
	guest_run "$name" "i=0
until [ -e $tag.rc ] || [ \$i = ${seconds}0 ]; do i=\$((i + 1)); sleep 0.1; done
cat $tag.out
[ -e $tag.rc ] || exit 124
exit \$(cat $tag.rc)" $((seconds + 10))
}

guest_qmp() { "$GUEST_IMAGE/guestctl" qmp "$GUEST_DIR/$1.qmp" 20 "$2" ${3:+"$3"}; }

guest_reset() { guest_qmp "$1" '{"execute":"system_reset"}' RESET >/dev/null; }

guest_migrate() {
	local from=$1 to=$2 until=$((SECONDS + ${3:-60})) state
	# It listens when its vhost-user peer is there.
	guest_poll 20 test -S "$GUEST_DIR/$to.migrate" || :
	guest_qmp "$from" '{"execute":"migrate-set-parameters","arguments":
{"max-bandwidth":1000000000,"downtime-limit":500}}' >/dev/null &&
		guest_qmp "$from" '{"execute":"migrate","arguments":
{"uri":"unix:'"$GUEST_DIR/$to.migrate"'"}}' >/dev/null || return 1
	while state=$(guest_qmp "$from" '{"execute":"query-migrate"}'); do
		case $state in
		*'"status":"completed"'*)
			guest_stop "$from"
			return
			;;
		*'"status":"failed"'* | *'"status":"cancelled"'*) break ;;
		esac
		[ "$SECONDS" -lt "$until" ] || break
		sleep 0.05
	done
	echo "guest_migrate: $from to $to: $state" >&2
	guest_log "$to" >&2
	return 1
}

# A QEMU that waits for its vhost-user peer answers neither the monitor nor SIGTERM.
guest_stop() {
	guest_alive "$1" || return 0
	if "$GUEST_IMAGE/guestctl" qmp "$GUEST_DIR/$1.qmp" 5 '{"execute":"quit"}' >/dev/null 2>&1 &&
		guest_poll 5 guest_ended "$1"; then
		return
	fi
	guest_kill "$1"
}

guest_kill() {
	local pid
	guest_alive "$1" || return 0
	pid=$(guest_pid "$1")
	kill -9 "$pid" 2>/dev/null
	guest_poll 10 guest_ended "$1"
}

guest_cleanup() {
	local file
	for file in "$GUEST_DIR"/*.pid; do
		[ -e "$file" ] || continue
		file=${file##*/}
		guest_kill "${file%.pid}"
	done
}

guest_log() {
	sed "s/^/    $1 qemu: /" "$GUEST_DIR/$1.log" 2>/dev/null | tail -n 10
	sed "s/^/    $1 console: /" "$GUEST_DIR/$1.console" 2>/dev/null | tail -n 20
}

#!/bin/bash
# build-image.sh OUTDIR: all that tests need to boot small guests, made in OUTDIR (build/guest):
#	vmlinuz    Debian's cloud kernel, unpacked from its package; nothing is installed
#	initramfs  busybox, virtio modules and the small programs beside this script
#	guestctl   the program that speaks to a running guest
#	xfer, udp  as in the guest, to be its peer in a namespace of the host
# Does nothing where they are up to date. May run twice at once.
# Packages: busybox-static gcc libc6-dev libjansson-dev pkg-config xz-utils, and apt itself.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-build/guest}
cc=${CC:-gcc}
busybox=/bin/busybox

# In the order in which they can be loaded.
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
	failover net_failover virtio_net"

die()
{
	echo "build-image: $*" >&2
	exit 1
}

# Name of the package that linux-image-cloud-amd64 stands for today; empty where apt knows none.
kernel_package()
{
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1
}

apt_update()
{
	[ "$(id -u)" = 0 ] || die "apt knows no linux-image-cloud-amd64: run apt-get update"
	apt-get -qq update || die "apt-get update failed"
}

# Downloads the kernel's package into the current directory.
download_kernel()
{
	local package

	package=$(kernel_package)
	if [ -z "$package" ]; then
		apt_update
		package=$(kernel_package)
	fi
	[ -n "$package" ] || die "no package linux-image-cloud-amd64: amd64 and Debian's main needed"
	echo "build-image: downloading $package (for test guests only, not installed)"
	apt-get -qq -o APT::Sandbox::User=root download "$package" 2>apt.log && return
	# The lists may name a version that the mirror has replaced.
	apt_update
	package=$(kernel_package)
	apt-get -qq -o APT::Sandbox::User=root download "$package" ||
		die "cannot download $package"
}

# $1: package file. Leaves vmlinuz and modules/ in the current directory.
unpack_kernel()
{
	local module file wanted=()

	for module in $modules; do
		wanted+=("./lib/modules/*/$module.ko*")
	done
	mkdir tree modules
	dpkg-deb --fsys-tarfile "$1" |
		tar -x -C tree --wildcards './boot/vmlinuz-*' "${wanted[@]}" ||
		die "$1: kernel or modules not found"
	mv tree/boot/vmlinuz-* vmlinuz
	for module in $modules; do
		file=$(find tree/lib/modules -name "$module.ko*")
		case $file in
		*.ko) mv "$file" modules/ ;;
		*.ko.xz) xz -dc "$file" >"modules/$module.ko" ;;
		*) die "$1: no module $module" ;;
		esac
	done
	echo "$modules" >modules/order
	rm -r tree
}

compile()
{
	"$cc" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror "$@"
}

# $1: directory of the kernel. Makes the file initramfs.
pack_initramfs()
{
	local root=$PWD/root program

	mkdir -p "$root"/{bin,dev,proc,sys,tmp}
	cp "$busybox" "$root/bin/busybox"
	for program in $("$busybox" --list); do
		ln -s busybox "$root/bin/$program" 2>/dev/null || :
	done
	for program in agent xfer udp frame ethctl smb; do
		rm -f "$root/bin/$program"
		compile -static -s -o "$root/bin/$program" "$here/$program"*.c
	done
	cp "$root/bin/xfer" "$root/bin/udp" .
	cp -r "$1/modules" "$root/modules"
	install -m 755 "$here/init" "$root/init"
	# Not compressed: that would cost an emulated guest more than the host saves.
	(cd "$root" && find . | "$busybox" cpio -o -H newc -R 0:0 2>/dev/null) >initramfs
	rm -r "$root"
}

case $(uname -m) in
x86_64) ;;
*) die "guests are x86-64 only" ;;
esac
[ -x "$busybox" ] || die "$busybox is missing: apt-get install busybox-static"

mkdir -p "$out"
out=$(cd "$out" && pwd)
exec 9>"$out/.lock"
flock -w 300 9 || die "$out is locked by another build"

stamp=$( (cd "$here" && cat build-image.sh init ./*.[ch] && cat "$busybox") | sha256sum)
if [ -s "$out/vmlinuz" ] && [ -s "$out/initramfs" ] && [ -x "$out/guestctl" ] &&
	[ -x "$out/xfer" ] && [ -x "$out/udp" ] &&
	[ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ]; then
	exit 0
fi

rm -rf "$out"/.work.* # of a build that was killed
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP
cd "$work"

# The package is kept: another choice of modules needs no new download.
package=$(find "$out" -maxdepth 1 -name 'linux-image-*.deb' | head -1)
if [ -z "$package" ]; then
	download_kernel
	mv linux-image-*.deb "$out/"
	package=$(find "$out" -maxdepth 1 -name 'linux-image-*.deb' | head -1)
fi
unpack_kernel "$package"
pack_initramfs "$work"
# shellcheck disable=SC2046 # several words
compile -o guestctl "$here/guestctl.c" $(pkg-config --cflags --libs jansson)
mv -f vmlinuz initramfs guestctl xfer udp "$out/"
echo "$stamp" >stamp
mv -f stamp "$out/stamp"

#!/bin/bash
# deps.sh PACKAGE...: installs those of the Debian packages that are missing, naming them first.
set -u
missing=()
for package in "$@"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install=(apt-get)
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "missing Debian packages: ${missing[*]}" >&2
		echo "install them as root: apt-get install ${missing[*]}" >&2
		exit 1
	}
	install=(sudo apt-get)
fi
echo "Installing missing Debian packages: ${missing[*]}"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# Package lists of the last hours serve; ask for new ones only where these do not.
if ! "${install[@]}" install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1 &&
	! { "${install[@]}" update >>"$log" 2>&1 &&
		"${install[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; }; then
	tail -n 20 "$log" >&2
	echo "could not install: ${missing[*]}" >&2
	exit 1
fi

#!/bin/sh
# Gets a program for the tests where it is not installed: unpacked-package.sh PACKAGE PROGRAM TESTS. Debian's package is
# fetched and unpacked into a folder of the user's cache. Nothing is installed into the system, and nothing is started.
# Without it TESTS are skipped, but not in CI.
set -eu

package=$1 program=$2 tests=$3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/agent-coordinator/$package

if command -v "$program" >/dev/null 2>&1 || [ -x "$folder/usr/bin/$program" ] || [ -x "$folder/usr/sbin/$program" ]; then
    exit 0
fi

without() {
    echo "$package is not at hand, so $tests will be skipped: $1" >&2
    exit 0
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || without "this system has no apt-get."

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$folder")"
unfinished=$(mktemp -d "$folder.XXXXXX")
log=$(mktemp)
trap 'rm -rf "$unfinished" "$log"' EXIT
trap 'exit 130' INT TERM

echo "Fetching $package (apt-get download $package) ..."
fetch() {
    (cd "$unfinished" && "$here/apt.sh" download "$package") >"$log" 2>&1
}
# The lists of packages may be missing, or old; only root may renew them.
fetch || { [ "$(id -u)" = 0 ] && "$here/apt.sh" update >"$log" 2>&1 && fetch; } ||
    without "it cannot be fetched ($(tail -n 1 "$log"))."
dpkg-deb -x "$unfinished/$package"_*.deb "$unfinished/whole"
chmod 755 "$unfinished/whole"
# It is renamed when it is whole, so that what is found under the name can be trusted.
rm -rf "$folder"
mv "$unfinished/whole" "$folder"

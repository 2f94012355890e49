#!/bin/sh
# Gets Prometheus and promtool for the tests, where they are not installed: Debian's package is fetched and
# unpacked into a folder of the user's cache. Nothing is installed into the system, and nothing is started.
# Without it the tests of deploy/observability are skipped, but not in CI.
set -eu

folder=${XDG_CACHE_HOME:-$HOME/.cache}/agent-coordinator/prometheus

if { command -v prometheus && command -v promtool; } >/dev/null 2>&1 || [ -x "$folder/usr/bin/promtool" ]; then
    exit 0
fi

without() {
    echo "Prometheus is not at hand, so the tests of deploy/observability will be skipped: $1" >&2
    exit 0
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || without "this system has no apt-get."

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$folder")"
unfinished=$(mktemp -d "$folder.XXXXXX")
log=$(mktemp)
trap 'rm -rf "$unfinished" "$log"' EXIT
trap 'exit 130' INT TERM

echo "Fetching Prometheus (apt-get download prometheus) ..."
fetch() {
    (cd "$unfinished" && "$here/../apt.sh" download prometheus) >"$log" 2>&1
}
# The lists of packages may be missing, or old; only root may renew them.
fetch || { [ "$(id -u)" = 0 ] && "$here/../apt.sh" update >"$log" 2>&1 && fetch; } ||
    without "it cannot be fetched ($(tail -n 1 "$log"))."
dpkg-deb -x "$unfinished"/prometheus_*.deb "$unfinished/whole"
chmod 755 "$unfinished/whole"
# It is renamed when it is whole, so that what is found under the name can be trusted.
rm -rf "$folder"
mv "$unfinished/whole" "$folder"

#!/bin/sh
# Installs PostgreSQL's server where there is none, for the tests, which run private servers of their
# own: no database cluster is made and nothing is started. Does nothing where a server or a Docker
# engine is there. Without it the tests of the ledger in PostgreSQL are skipped, but not in CI.
set -eu

if ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || docker info >/dev/null 2>&1; then
    exit 0
fi

without() {
    echo "PostgreSQL is not installed, so its tests will be skipped: $1" >&2
    exit 0
}

command -v apt-get >/dev/null || without "this system has no apt-get; start Docker instead."
if [ "$(id -u)" = 0 ]; then
    as_root() { "$@"; }
elif sudo -n true 2>/dev/null; then
    as_root() { sudo -n "$@"; }
else
    without "run 'sudo make postgres'."
fi

echo "Installing PostgreSQL's server (apt-get install postgresql) ..."

# Debian makes a cluster and starts it as soon as the package is installed, unless this file says no.
settings=/etc/postgresql-common/createcluster.conf
log=$(mktemp)
tidy() {
    rm -f "$log"
    if [ -e "$settings.before" ]; then
        as_root mv "$settings.before" "$settings"
    fi
}
trap tidy EXIT
trap 'exit 130' INT TERM

apt() {
    as_root "$(dirname "$0")/../apt.sh" "$@" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        without "'apt-get $1' failed, see above."
    }
}
apt update
apt install --yes --no-install-recommends postgresql-common
if [ -e "$settings" ]; then
    as_root cp -p "$settings" "$settings.before"
fi
echo "create_main_cluster = false" | as_root tee -a "$settings" >/dev/null
apt install --yes --no-install-recommends postgresql

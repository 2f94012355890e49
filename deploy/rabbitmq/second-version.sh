#!/bin/sh
# Makes another RabbitMQ ready for the tests beside the one that is installed: a small Debian in a
# folder of its own, which tests run by chroot. The argument says which: 4.0 or 4.3. Where that
# can't be, one line says so and the tests go on with what there is.
#
# COORDINATOR_TEST_RABBITMQ_ROOTS names folders that are ready already, joined by colons.
set -eu

version=${1:-}
case $version in
    4.0) suite=trixie ;;
    4.3) suite=forky ;;
    *)
        echo "Say which RabbitMQ: $0 4.0, or 4.3." >&2
        exit 2
        ;;
esac
root=${XDG_CACHE_HOME:-$HOME/.cache}/agent-coordinator/rabbitmq-$version

if [ -n "${COORDINATOR_TEST_RABBITMQ_ROOTS:-}" ] ||
    [ -n "${COORDINATOR_TEST_AMQP_URL:-}" ] ||
    [ -e "$root/usr/lib/rabbitmq/bin/rabbitmq-server" ] ||
    docker info >/dev/null 2>&1; then
    exit 0
fi

without() {
    echo "Tests do not run on RabbitMQ $version: $1."
    exit 0
}

[ "$(id -u)" = 0 ] || without "only root can make and enter a system in a folder"
command -v apt-get >/dev/null || without "this system has no apt-get to install debootstrap with"

log=$(mktemp)
unfinished=
tidy() {
    rm -f "$log"
    [ -z "$unfinished" ] || rm -rf --one-file-system "$unfinished"
}
trap tidy EXIT
trap 'exit 130' INT TERM

if ! command -v debootstrap >/dev/null; then
    apt=$(dirname "$0")/../apt.sh
    { "$apt" update && "$apt" install --yes --no-install-recommends debootstrap; } >"$log" 2>&1 ||
        without "debootstrap cannot be installed"
fi

# A suite that is younger than this debootstrap is made in the same way as Debian's newest.
scripts=${DEBOOTSTRAP_DIR:-/usr/share/debootstrap}/scripts
script=$scripts/$suite
[ -e "$script" ] || script=$scripts/sid

echo "Making RabbitMQ $version ready for the tests (two minutes, once) ..."
mkdir -p "$(dirname "$root")"
unfinished=$(mktemp -d "$root.XXXXXX")
chmod 755 "$unfinished"
# It is renamed when it is whole, so that what is found under the name can be trusted. An empty mirror
# is debootstrap's own. Erlang finds no port of its own without netbase, which forky's packages do not ask for.
debootstrap --variant=minbase --include=rabbitmq-server,netbase "$suite" "$unfinished" "" "$script" >"$log" 2>&1 ||
    without "debootstrap failed ($(grep -E '^E:' "$log" | tail -n 1))"
rm -rf "$unfinished"/var/cache/apt/archives/*.deb
rm -rf "$root"
mv "$unfinished" "$root"
unfinished=

#!/bin/sh
# Makes RabbitMQ 4 ready for the tests beside the version that is installed: a small Debian 13 in a
# folder of its own, which tests run by chroot. Where that can't be, one line says so and the tests
# go on with what there is.
#
# COORDINATOR_TEST_RABBITMQ_ROOTS names folders that are ready already, joined by colons.
set -eu

root=${XDG_CACHE_HOME:-$HOME/.cache}/agent-coordinator/rabbitmq-4

if [ -n "${COORDINATOR_TEST_RABBITMQ_ROOTS:-}" ] ||
    [ -n "${COORDINATOR_TEST_AMQP_URL:-}" ] ||
    [ -e "$root/usr/lib/rabbitmq/bin/rabbitmq-server" ] ||
    docker info >/dev/null 2>&1; then
    exit 0
fi

without() {
    echo "Tests run on the installed RabbitMQ alone, not on RabbitMQ 4 too: $1."
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

echo "Making RabbitMQ 4 ready for the tests (two minutes, once) ..."
mkdir -p "$(dirname "$root")"
unfinished=$(mktemp -d "$root.XXXXXX")
chmod 755 "$unfinished"
# It is renamed when it is whole, so that what is found under the name can be trusted.
debootstrap --variant=minbase --include=rabbitmq-server trixie "$unfinished" >"$log" 2>&1 ||
    without "debootstrap failed ($(grep -E '^E:' "$log" | tail -n 1))"
rm -rf "$unfinished"/var/cache/apt/archives/*.deb
rm -rf "$root"
mv "$unfinished" "$root"
unfinished=

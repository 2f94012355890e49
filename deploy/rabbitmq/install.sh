#!/bin/sh
# Installs RabbitMQ's server where there is none, without starting it: `coordinator up` and the
# tests run private nodes of their own. Does nothing where a broker is named, or a server or a
# Docker engine is there. A node that runs is never touched.
set -eu

if [ -n "${COORDINATOR_AMQP_URL:-}" ] ||
    [ -e /usr/lib/rabbitmq/bin/rabbitmq-server ] ||
    command -v rabbitmq-server >/dev/null ||
    docker info >/dev/null 2>&1; then
    exit 0
fi

give_up() {
    echo "RabbitMQ is not installed: $1" >&2
    echo "Or start Docker, or name a broker that you have: COORDINATOR_AMQP_URL_FILE is a file with its address, amqp://…" >&2
    exit 1
}

if ! command -v apt-get >/dev/null; then
    if command -v brew >/dev/null; then
        give_up "run 'brew install rabbitmq'."
    fi
    give_up "install the package rabbitmq-server with this system's package manager."
fi

if [ "$(id -u)" = 0 ]; then
    as_root() { "$@"; }
elif sudo -n true 2>/dev/null; then
    as_root() { sudo -n "$@"; }
else
    give_up "run 'sudo apt-get install rabbitmq-server'."
fi

echo "Installing RabbitMQ's server (apt-get install rabbitmq-server) ..."

# Debian starts a service as soon as its package is installed, here a broker on the standard ports,
# unless this file says no. It is made only where there is none, and removed again.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
ours=
tidy() {
    rm -f "$log"
    [ -z "$ours" ] || as_root rm -f "$policy"
}
trap tidy EXIT
trap 'exit 130' INT TERM
if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root sh -c "cat > $policy && chmod 755 $policy"
fi

apt() {
    as_root "$(dirname "$0")/../apt.sh" "$@" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        give_up "'apt-get $1' failed, see above."
    }
}
apt update
apt install --yes --no-install-recommends rabbitmq-server

# Nor at the next start of the machine: whoever wants the service enables it.
if [ -d /run/systemd/system ]; then
    as_root systemctl --quiet disable rabbitmq-server || true
fi

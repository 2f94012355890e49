#!/bin/sh
# Installs what the programs of other languages in this folder need, for the tests: Node.js with what
# package.json names, Ruby with Bunny, PHP with php-amqplib, Go with amqp091-go. What cannot be had is skipped
# by the tests, but not in CI.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

without() {
    echo "Some clients of other languages are not installed, so their tests will be skipped: $1" >&2
    exit 0
}

missing=
for program in node npm ruby php go; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -e /usr/share/gocode/src/github.com/rabbitmq/amqp091-go ] || missing="$missing amqp091-go"
ruby -e 'require "bunny"' 2>/dev/null || missing="$missing bunny"
php -r 'require_once "PhpAmqpLib/autoload.php";' >/dev/null 2>&1 || missing="$missing php-amqplib"

if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || without "this system has no apt-get;$missing."
    if [ "$(id -u)" = 0 ]; then
        as_root() { "$@"; }
    elif sudo -n true 2>/dev/null; then
        as_root() { sudo -n "$@"; }
    else
        without "run 'sudo tests/clients/install.sh'."
    fi
    echo "Installing clients of other languages (Node.js, Ruby, PHP, Go) ..."
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    apt() {
        as_root "$here/../../deploy/apt.sh" "$@" >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            without "'apt-get $1' failed, see above."
        }
    }
    node=
    command -v node >/dev/null || node=nodejs
    command -v npm >/dev/null || node="$node npm"
    apt update
    # shellcheck disable=SC2086 # two words, or none
    apt install --yes --no-install-recommends ruby ruby-bunny php-cli php-amqplib golang-go \
        golang-github-rabbitmq-amqp091-go-dev $node
fi

if ! npm --prefix "$here" ls --silent >/dev/null 2>&1; then
    npm --prefix "$here" install --silent --no-audit --no-fund --no-package-lock ||
        without "'npm install' failed, see above."
fi

#!/bin/sh
# Installs the shells whose completion is tested, where this machine lacks them: bash, zsh and fish. What cannot
# be had is skipped by the tests, but not in CI.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

without() {
    echo "The tests of completion will be skipped for:$missing. $1" >&2
    exit 0
}

missing=
for shell in bash zsh fish; do
    command -v "$shell" >/dev/null || missing="$missing $shell"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || without "This system has no apt-get to install them with."
if [ "$(id -u)" = 0 ]; then
    as_root() { "$@"; }
elif sudo -n true 2>/dev/null; then
    as_root() { sudo -n "$@"; }
else
    without "Run 'sudo tests/shells/install.sh'."
fi
echo "Installing$missing ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for words in update "install --yes --no-install-recommends$missing"; do
    # shellcheck disable=SC2086 # several words
    as_root "$here/../../deploy/apt.sh" $words >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        without "'apt-get $words' failed, see above."
    }
done

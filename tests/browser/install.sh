#!/bin/sh
# Installs what the tests of the dashboard need beside Python's packages: Debian's Chromium, and axe, which
# judges how accessible pages are. What cannot be had is skipped by the tests, but not in CI.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

without() {
    echo "The tests of the dashboard in a browser will be skipped, or some of them: $1" >&2
}

browser() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

get_browser() {
    command -v apt-get >/dev/null || { without "this system has no apt-get to install Chromium with."; return; }
    if [ "$(id -u)" = 0 ]; then
        as_root() { "$@"; }
    elif sudo -n true 2>/dev/null; then
        as_root() { sudo -n "$@"; }
    else
        without "run 'sudo tests/browser/install.sh'."
        return
    fi
    echo "Installing Chromium (a minute) ..."
    log=$(mktemp)
    for words in update "install --yes --no-install-recommends chromium"; do
        # shellcheck disable=SC2086 # several words
        as_root "$here/../../deploy/apt.sh" $words >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            without "'apt-get $words' failed, see above."
            break
        }
    done
    rm -f "$log"
}

browser || get_browser

if ! cmp -s "$here/package.json" "$here/node_modules/installed"; then
    if ! command -v npm >/dev/null; then
        without "there is no npm; tests/clients/install.sh installs it."
    elif npm --prefix "$here" install --silent --no-audit --no-fund --no-package-lock; then
        cp "$here/package.json" "$here/node_modules/installed"
    else
        without "'npm install' failed, see above."
    fi
fi

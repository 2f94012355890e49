#!/bin/sh
# Installs what reads the OpenAPI document in the tests: a linter, and generators of clients for TypeScript
# (node_modules) and Python (an environment of their own, made with the interpreter that PYTHON names). What
# cannot be had is skipped by the tests, but not in CI.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../../.venv-generators

without() {
    echo "Some readers of the OpenAPI document are not installed, so their tests will be skipped: $1" >&2
}

if ! cmp -s "$here/package.json" "$here/node_modules/installed"; then
    if ! command -v npm >/dev/null; then
        without "there is no npm; tests/clients/install.sh installs it."
    elif npm --prefix "$here" install --silent --no-audit --no-fund --no-package-lock; then
        cp "$here/package.json" "$here/node_modules/installed"
    else
        without "'npm install' failed, see above."
    fi
fi

if ! cmp -s "$here/requirements.txt" "$venv/installed"; then
    if "${PYTHON:-python3}" -m venv --clear "$venv" >/dev/null &&
        "$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"; then
        cp "$here/requirements.txt" "$venv/installed"
    else
        without "'pip install' failed, see above."
    fi
fi

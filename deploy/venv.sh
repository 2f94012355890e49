#!/bin/sh
# Makes the virtual environment named as the first argument, with everything pinned in it.
# PYTHON names the interpreter to use; otherwise the newest that is recent enough.
set -eu

venv=$1
here=$(cd "$(dirname "$0")/.." && pwd)

recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if [ ! -x "$venv/bin/python" ] || ! recent "$venv/bin/python"; then
    found=
    for python in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
        if recent "$python"; then
            found=$python
            break
        fi
    done
    if [ -z "$found" ]; then
        echo "Python 3.11 or later is needed and was not found: install it, or name it with PYTHON=/path/to/python3." >&2
        exit 1
    fi
    echo "Making $venv with $("$found" --version) ..."
    if ! "$found" -m venv --clear "$venv" >/dev/null; then
        echo "Python's venv module does not work here: on Debian and Ubuntu run 'sudo apt-get install python3-venv'." >&2
        exit 1
    fi
fi

exec "$venv/bin/python" "$here/deploy/pinned_install.py"

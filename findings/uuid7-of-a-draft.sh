#!/usr/bin/env bash
# The package `uuid7` makes identifiers of version 7 after a draft: to everyone else they are of the year 2203.
#
# Seen with uuid7 0.1.0, uuid-utils 1.2.0 (PyPI), uuid 14.0.3 (npm).
#
# Since RFC 9562 the first 48 bits of a UUID of version 7 are milliseconds since 1970. The package that has the name follows
# a draft of 2021, with seconds in 36 bits and a fraction behind them, and says "version 7" all the same. Within
# one service all sorts well. Beside the identifiers of others, its own come after every other one made until
# the year 2203, so that a cursor over ids, a table that is split by them, or a clean-up by age passes over what is
# new or keeps what is old; and whoever reads the time out of one gets a date two centuries ahead.
#
# Output when written:
#   made on 2026-11-29: uuid-utils says 2026-11-29, uuid of npm 2026-11-29, uuid7 2203-02-10; sorted, the one of uuid7 comes after one of 2200
#
# Documented: RFC 9562, section 5.7. Known: stevesimmons/uuid7#1 (open since 2023; #2 mends it and was merged, no release
# has it).

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check uuid7==0.1.0 uuid-utils==1.2.0
npm install --silent --no-audit --no-fund --prefix "$work" uuid@14.0.3 >/dev/null

cat >"$work/made.mjs" <<'JAVASCRIPT'
import { v7 } from 'uuid';
console.log(v7({ msecs: Number(process.argv[2]) }));
JAVASCRIPT

"$work/venv/bin/python" - "$work/made.mjs" <<'PYTHON'
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import uuid_utils
from uuid_extensions import uuid7


def nanoseconds(instant):
    return int(instant.timestamp()) * 10**9


def day(identifier):
    """As RFC 9562 has it: milliseconds since 1970 in the first 48 bits."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=identifier.int >> 80)).date()


now = datetime(2026, 11, 29, 12, tzinfo=UTC)
by_node = subprocess.check_output(["node", sys.argv[1], str(nanoseconds(now) // 10**6)], text=True)
made = {
    "uuid-utils": UUID(str(uuid_utils.uuid7(nanoseconds=nanoseconds(now)))),
    "uuid of npm": UUID(by_node.strip()),
    "uuid7": uuid7(nanoseconds(now)),
}
assert {identifier.version for identifier in made.values()} == {7}, made
of_2200 = UUID(str(uuid_utils.uuid7(nanoseconds=nanoseconds(now.replace(year=2200)))))
assert made["uuid-utils"] < of_2200 < made["uuid7"], made

seen = "made on 2026-11-29: " + ", ".join(
    f"{name} {'says ' if name == 'uuid-utils' else ''}{day(identifier)}" for name, identifier in made.items()
)
expected = "made on 2026-11-29: uuid-utils says 2026-11-29, uuid of npm 2026-11-29, uuid7 2203-02-10"
assert seen == expected, seen
print(f"{seen}; sorted, the one of uuid7 comes after one of 2200")
PYTHON

#!/usr/bin/env bash
# pydantic writes 365 days as `P1Y`, and whoever reads that adds a year: 366 days, where a 29 February lies in between.
#
# Seen with pydantic 2.14.4, isodate 0.7.2 (PyPI), luxon 3.7.2 (npm).
#
# A timedelta has days and no years. In JSON pydantic writes one of 365 days or more with years of 365 days each, 400 days
# as `P1Y35D`, and takes `P1Y` and `P1M` for 365 and 30 days when it reads: within pydantic it comes out even. In ISO 8601
# a year is one of the calendar, and other libraries take it so: isodate gives a Duration that is no timedelta and cannot
# be compared with one, luxon adds a year to a date. A retention of 365 days then ends a day later in one service than in
# the other, once in four years; one of 364 days does not. `ser_json_timedelta="float"` writes seconds.
#
# Output when written:
#   365 days are P1Y, 400 are P1Y35D; after 2027-03-01 that is 2028-02-29 by pydantic, 2028-03-01 by isodate, 2028-03-01 by luxon
#
# Documented: ISO 8601-1, durations; pydantic's `ser_json_timedelta`. Known: pydantic/speedate#100 (months are read and not
# written). Of the year nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check isodate==0.7.2 pydantic==2.14.4
npm install --silent --no-audit --no-fund --prefix "$work" luxon@3.7.2 >/dev/null

cat >"$work/add.cjs" <<'JAVASCRIPT'
const { DateTime, Duration } = require('luxon');
const [from, duration] = process.argv.slice(2);
console.log(DateTime.fromISO(from, { zone: 'utc' }).plus(Duration.fromISO(duration)).toISODate());
JAVASCRIPT

"$work/venv/bin/python" - "$work/add.cjs" <<'PYTHON'
import subprocess
import sys
from datetime import date, timedelta

import isodate
from pydantic import TypeAdapter

durations = TypeAdapter(timedelta)


def written(days):
    return durations.dump_python(timedelta(days=days), mode="json")


begin = date(2027, 3, 1)
year = written(365)
assert not isinstance(isodate.parse_duration(year), timedelta)
assert isinstance(isodate.parse_duration(written(364)), timedelta)
ends = {
    "pydantic": begin + durations.validate_python(year),
    "isodate": begin + isodate.parse_duration(year),
    "luxon": subprocess.check_output(["node", sys.argv[1], str(begin), year], text=True).strip(),
}
seen = f"365 days are {year}, 400 are {written(400)}; after {begin} that is " + ", ".join(
    f"{end} by {library}" for library, end in ends.items()
)
expected = (
    "365 days are P1Y, 400 are P1Y35D; after 2027-03-01 that is "
    "2028-02-29 by pydantic, 2028-03-01 by isodate, 2028-03-01 by luxon"
)
assert seen == expected, seen
print(seen)
PYTHON

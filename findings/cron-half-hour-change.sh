#!/usr/bin/env bash
# Where clocks change by half an hour, cron libraries lose runs hours later, run twice, or cannot tell the next run.
#
# Seen with cronsim 2.8, croniter 7.0.0 (PyPI), cron-parser 5.10.6, croner 11.0.1, cron 4.4.0 (npm).
#
# Australia/Lord_Howe puts its clocks back from 02:00 to 01:30, in 2026 on 5 April, and forward from 02:00 to 02:30 on 4
# October. Neither 02:15 nor 06:00 nor 09:00 is ambiguous on 5 April, and still:
# - `0 */6 * * *`: cronsim has no run at 06:00, on both days. It goes from hour to hour in UTC and lands on 05:30,
#   06:30. `*/15 6 * * *` loses 06:00 and 06:15 alike, and `* 3 * * *` thirty of its sixty runs.
# - `0 9 * * *`: cron-parser raises "Invalid expression, loop limit exceeded" instead of giving the next run, when it is
#   asked after the run of the day before, as schedulers do: seen from 09:01 on 4 April to 01:01 on 5 April.
# - `15 2 * * *`: cron runs twice, at 01:45 (the second time round) and at 02:15.
# croniter and croner have the runs that one expects. In Europe/Vienna, which changes by an hour, cronsim has them, too.
#
# Output when written (local times of 5 April 2026):
#   0 */6 * * *: cronsim 00:00 12:00 18:00, croniter 00:00 06:00 12:00 18:00; 0 9 * * *: cron-parser loop limit exceeded; 15 2 * * *: cron 01:45 02:15, croner 02:15
#
# Known, of other widths or libraries: harrisiirak/cron-parser#419 and #435 (two hours), elizaOS/eliza#11100 (Lord Howe).
# Of cronsim and cron, and of the error, nothing was found. cronsim's page says that it follows Debian's cron in such nights.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check croniter==7.0.0 cronsim==2.8 tzdata==2026.3
npm install --silent --no-audit --no-fund --prefix "$work" cron@4.4.0 cron-parser@5.10.6 croner@11.0.1 >/dev/null

cat >"$work/next.mjs" <<'JAVASCRIPT'
import { CronTime } from 'cron';
import { CronExpressionParser } from 'cron-parser';
import { Cron } from 'croner';

const zone = 'Australia/Lord_Howe';
const start = new Date('2026-04-04T12:59:00Z'); // a minute before midnight
const end = new Date('2026-04-05T13:29:00Z');
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' });

function runs(next) {
  const found = [];
  for (let run = next(start); run && run <= end; run = next(run)) found.push(clock.format(run));
  return found.join(' ');
}

function byParser(expression) {
  const parsed = CronExpressionParser.parse(expression, { currentDate: start, tz: zone });
  return runs(() => parsed.next().toDate());
}

let parser;
try {
  parser = byParser('0 9 * * *');
} catch (error) {
  parser = error.message;
}
const cron = new CronTime('15 2 * * *', zone);
const croner = new Cron('15 2 * * *', { timezone: zone, paused: true });
console.log(
  JSON.stringify({
    'cron-parser': parser,
    cron: runs((after) => cron.getNextDateFrom(after, zone).toJSDate()),
    croner: runs((after) => croner.nextRun(after)),
  }),
);
JAVASCRIPT

(cd "$work" && venv/bin/python - next.mjs) <<'PYTHON'
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

LORD_HOWE, VIENNA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Europe/Vienna")


def runs(expression, day, zone=LORD_HOWE):
    midnight = datetime(2026, *day, tzinfo=zone)
    end = (midnight + timedelta(days=1)).astimezone(UTC)
    start = midnight - timedelta(minutes=1)
    iterators = {
        "cronsim": iter(CronSim(expression, start)),
        "croniter": croniter(expression, start, ret_type=datetime),
    }
    found = {}
    for name, iterator in iterators.items():
        found[name] = []
        while (run := next(iterator)).astimezone(UTC) < end:
            found[name].append(f"{run:%H:%M}")
    return found


every_six_hours = ["00:00", "06:00", "12:00", "18:00"]
for day in [(4, 5), (10, 4)]:
    seen = runs("0 */6 * * *", day)
    assert seen == {"cronsim": ["00:00", "12:00", "18:00"], "croniter": every_six_hours}, (day, seen)
assert runs("*/15 6 * * *", (4, 5))["cronsim"] == ["06:30", "06:45"]
assert runs("0 */6 * * *", (10, 25), VIENNA)["cronsim"] == every_six_hours
minutes = runs("* 3 * * *", (4, 5))
assert {name: len(found) for name, found in minutes.items()} == {"cronsim": 30, "croniter": 60}

asked = ["node", sys.argv[1]]
javascript = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
assert javascript == {
    "cron-parser": "Invalid expression, loop limit exceeded",
    "cron": "01:45 02:15",
    "croner": "02:15",
}, javascript
seen = runs("0 */6 * * *", (4, 5))
print(
    f"0 */6 * * *: cronsim {' '.join(seen['cronsim'])}, croniter {' '.join(seen['croniter'])}; "
    "0 9 * * *: cron-parser loop limit exceeded; "
    f"15 2 * * *: cron {javascript['cron']}, croner {javascript['croner']}"
)
PYTHON

#!/usr/bin/env bash
# `0 9 */2 * 1` is two days of December, eighteen or three, by library: days of the month and of the week together.
#
# Seen with cronsim 2.8, croniter 7.0.0, APScheduler 3.11.3 (PyPI), cron 4.4.0, cron-parser 5.10.6 (npm).
#
# Where both fields are given, crontab's manual says: either. Debian's cron, and cronsim with it, goes by the first
# character: a field that starts with a star joins the other by "and". croniter, cron-parser and cron ask whether the field
# is everything, so that */2 is a restriction like any other: "or". APScheduler always takes "and", and its weekday 1
# is Tuesday. And `1-31`, which is every day, is a restriction to croniter and cron-parser, hence every day; to cron
# it is a star, hence Mondays only.
# So a schedule that moves from one to another runs on other days, without an error. Of these expressions only
# those with a plain star in one of the two fields, and the names of weekdays, mean the same to all.
#
# Output when written (December 2026, whose Mondays are 7, 14, 21, 28):
#   0 9 */2 * 1: cronsim 2 days; croniter 18 days; APScheduler 3 days; cron-parser 18 days; cron 18 days
#   0 9 1-31 * 1: cronsim 31 days; croniter 31 days; APScheduler 5 days; cron-parser 31 days; cron 4 days
#
# Documented: croniter's page (`day_or`, `implement_cron_bug`), APScheduler's (all fields at once, weeks start on Monday),
# cronsim's (it follows Debian's cron). Known: pallets-eco/croniter#41, cronitorio/cronitor-kubernetes#42. Of 1-31 in cron
# nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check APScheduler==3.11.3 croniter==7.0.0 cronsim==2.8
npm install --silent --no-audit --no-fund --prefix "$work" cron@4.4.0 cron-parser@5.10.6 >/dev/null

cat >"$work/days.mjs" <<'JAVASCRIPT'
import { CronTime } from 'cron';
import { CronExpressionParser } from 'cron-parser';

const start = new Date('2026-11-30T23:59:00Z');
const end = new Date('2027-01-01T00:00:00Z');

function days(next) {
  const found = [];
  for (let run = next(start); run < end; run = next(run)) found.push(run.getUTCDate());
  return found;
}

function of(expression) {
  const parsed = CronExpressionParser.parse(expression, { currentDate: start, tz: 'UTC' });
  const cron = new CronTime(expression, 'UTC');
  return {
    'cron-parser': days(() => parsed.next().toDate()),
    cron: days((after) => cron.getNextDateFrom(after, 'UTC').toJSDate()),
  };
}

console.log(JSON.stringify(process.argv.slice(2).map(of)));
JAVASCRIPT

(cd "$work" && venv/bin/python - days.mjs) <<'PYTHON'
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from cronsim import CronSim

START = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
EXPRESSIONS = ["0 9 */2 * 1", "0 9 1-31 * 1", "0 9 1 * 1", "0 9 * * mon"]


def of_iterator(iterator):
    days = []
    while (run := next(iterator)) < END:
        days.append(run.day)
    return days


def of_apscheduler(expression):
    trigger = CronTrigger.from_crontab(expression, timezone=UTC)
    days, run = [], START
    while (run := trigger.get_next_fire_time(None, run + timedelta(seconds=1))) and run < END:
        days.append(run.day)
    return days


asked = ["node", sys.argv[1], *EXPRESSIONS]
javascript = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
seen = {
    expression: {
        "cronsim": of_iterator(iter(CronSim(expression, START))),
        "croniter": of_iterator(croniter(expression, START, ret_type=datetime)),
        "APScheduler": of_apscheduler(expression),
        **others,
    }
    for expression, others in zip(EXPRESSIONS, javascript, strict=True)
}

mondays, tuesdays, every = [7, 14, 21, 28], [1, 8, 15, 22, 29], list(range(1, 32))
odd = [day for day in every if day % 2]
either = sorted({*odd, *mondays})
step, whole, first, name = (seen[expression] for expression in EXPRESSIONS)
assert step == {
    "cronsim": [7, 21],
    "croniter": either,
    "APScheduler": [1, 15, 29],
    "cron-parser": either,
    "cron": either,
}, step
assert whole == {
    "cronsim": every,
    "croniter": every,
    "APScheduler": tuesdays,
    "cron-parser": every,
    "cron": mondays,
}, whole
assert first.pop("APScheduler") == [1], first
assert all(days == [1, *mondays] for days in first.values()), first
assert all(days == mondays for days in name.values()), name
for expression in EXPRESSIONS[:2]:
    print(f"{expression}:", "; ".join(f"{of} {len(days)} days" for of, days in seen[expression].items()))
PYTHON

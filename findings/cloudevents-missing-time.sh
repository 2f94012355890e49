#!/usr/bin/env bash
# An event without `time` gets the time of reading it from two CloudEvents SDKs, another at each reading.
#
# Seen with cloudevents 2.2.0 (PyPI) and cloudevents 10.0.0 (npm).
#
# `time` is optional in CloudEvents 1.0. Both SDKs put their own clock's time where a received event has none, in JSON and
# in headers, and write it when the event is passed on: the invention cannot be told from a statement of the producer. A
# message that is delivered twice becomes two events that are not equal, and one that waited for an hour in a queue
# happened "now". Who needs to know looks at the bytes before the SDK does.
#
# Output when written (times differ):
#   Python: one event, read twice, has 2 times; JavaScript: 2; passed on, it has the attribute time
#
# Documented: the CloudEvents specification 1.0 leaves `time` out or lets the *producer* choose another time, alike for all
# producers of one source. Known: cloudevents/sdk-javascript#386 and #419. Of the Python SDK nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check cloudevents==2.2.0
npm install --silent --no-audit --no-fund --prefix "$work" cloudevents@10.0.0 >/dev/null

cat >"$work/read.js" <<'JAVASCRIPT'
const { HTTP } = require('cloudevents');
const read = () =>
  HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body: process.argv[2] });
const first = read();
setTimeout(() => {
  const passedOn = JSON.parse(HTTP.structured(first).body);
  console.log(JSON.stringify({ times: [first.time, read().time], passedOn: passedOn.time }));
}, 20);
JAVASCRIPT

(cd "$work" && venv/bin/python - read.js) <<'PYTHON'
import json
import subprocess
import sys
import time

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

event = b'{"specversion": "1.0", "id": "1", "source": "/orders", "type": "order.paid"}'
json_format = JSONFormat()

first = json_format.read(CloudEvent, event)
time.sleep(0.02)
second = json_format.read(CloudEvent, event)
python = {first.get_time(), second.get_time()}
assert None not in python and len(python) == 2, python
assert "time" in json.loads(json_format.write(first))

asked = ["node", sys.argv[1], event.decode()]
answer = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
javascript = set(answer["times"])
assert len(javascript) == 2 and answer["passedOn"] == answer["times"][0], answer
print(
    f"Python: one event, read twice, has {len(python)} times; JavaScript: {len(javascript)}; "
    "passed on, it has the attribute time"
)
PYTHON

#!/usr/bin/env bash
# A comment that keeps a stream alive is an event to two clients of server-sent events: without type, without data.
#
# Seen with httpx-sse 0.4.3 (PyPI), @microsoft/fetch-event-source 2.0.1, eventsource-parser 3.1.1 (npm, under `eventsource`).
#
# Servers write `: ping` and an empty line every few seconds, and `retry: 3000` or `id: 7` alone. The standard dispatches
# nothing for a block that has no data. httpx-sse yields an event with data "" for a block with `retry` or `id`, and, once
# any event has had an id, for each comment as well: a stream that was quiet in the tests yields one every fifteen
# seconds in production, after the first event. fetch-event-source calls `onmessage` with data "" for each comment
# from the first. `JSON.parse("")` and `json.loads("")` then end the loop that reads. What helps: pass over events whose
# data is empty. eventsource-parser tells of comments and `retry` apart from events.
#
# Output when written (data of the events of one stream that has two):
#   httpx-sse: "" "a" "" "" "b"; fetch-event-source: "" "" "a" "" "" "b"; eventsource-parser: "a" "b"
#
# Documented: HTML standard, 9.2.6 (an empty data buffer dispatches nothing). Known: florimondmanca/httpx-sse#35 (#36 and
# #46 would mend it, open), a2aproject/a2a-python#540 (its client ended on a comment), Azure/fetch-event-source#15 (open).

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check httpx==0.28.1 httpx-sse==0.4.3
npm install --silent --no-audit --no-fund --prefix "$work" \
  @microsoft/fetch-event-source@2.0.1 eventsource-parser@3.1.1 >/dev/null

printf 'retry: 3000\n\n: ping\n\nid: 7\ndata: a\n\n: ping\n\n: ping\n\ndata: b\n\n' >"$work/stream"

cat >"$work/read.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import httpx
from httpx_sse import EventSource

answer = httpx.Response(
    200, headers={"content-type": "text/event-stream"}, content=Path(sys.argv[1]).read_bytes()
)
print(*(json.dumps(event.data) for event in EventSource(answer).iter_sse()))
PYTHON

cat >"$work/read.mjs" <<'JAVASCRIPT'
import { readFileSync } from 'node:fs';
import { getLines, getMessages } from '@microsoft/fetch-event-source/lib/cjs/parse.js';
import { createParser } from 'eventsource-parser';

const stream = readFileSync(process.argv[2]);
const shown = (events) => events.map(({ data }) => JSON.stringify(data)).join(' ');

const fetched = [];
getLines(getMessages(() => {}, () => {}, (message) => fetched.push(message)))(stream);
const parsed = [];
createParser({ onEvent: (event) => parsed.push(event) }).feed(stream.toString());
console.log(`fetch-event-source: ${shown(fetched)}; eventsource-parser: ${shown(parsed)}`);
JAVASCRIPT

seen="httpx-sse: $("$work/venv/bin/python" "$work/read.py" "$work/stream"); $(node "$work/read.mjs" "$work/stream")"
echo "$seen"
test "$seen" = 'httpx-sse: "" "a" "" "" "b"; fetch-event-source: "" "" "a" "" "" "b"; eventsource-parser: "a" "b"'

#!/usr/bin/env bash
# A date in an AMQP 0-9-1 header: amqplib sends an empty table, and py-amqp reads a date without its zone.
#
# Seen with amqplib 2.3.1 (npm), amqp 5.4.2 (PyPI, the client under Celery and kombu), pika 1.4.4, pamqp 4.0.1 (under
# aio-pika).
#
# 1. `headers: {due: new Date(...)}` given to amqplib goes onto the wire as an empty table, `F` with no entries: a Date
#    has no keys of its own. Nothing is raised. Every reader gets {}. What amqplib writes as a timestamp is
#    {'!': 'timestamp', value: seconds}.
# 2. The same ten bytes of a timestamp are an aware datetime in UTC to pika and pamqp, and a naive one to py-amqp.
#    `.timestamp()` of that takes it for local time, so that a worker in Vienna is an hour or two off, and one
#    in a container in UTC is right.
# 3. All three Python clients drop the fraction of a second when they write one. (The type has whole seconds only.)
#
# Output when written:
#   amqplib 2.3.1 sent a Date as {}; pika and pamqp read 12:00:00+00:00, py-amqp 12:00:00 without a zone: in Vienna 7200 s off
#
# Documented: the types, in RabbitMQ's errata of AMQP 0-9-1, section 3. Known: celery/py-amqp#67 (the same about writing,
# closed); pamqp and aio-pika were mended alike in gmr/pamqp#37 and mosquito/aio-pika#610. Of the Date nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check amqp==5.4.2 pamqp==4.0.1 pika==1.4.4
npm install --silent --no-audit --no-fund --prefix "$work" amqplib@2.3.1 >/dev/null

cat >"$work/encode.js" <<'JAVASCRIPT'
const codec = require('./node_modules/amqplib/lib/codec.js');
const buffer = Buffer.alloc(100);
const length = codec.encodeTable(buffer, { due: new Date(Date.UTC(2026, 6, 1, 12)) }, 0);
console.log(buffer.subarray(0, length).toString('hex'));
JAVASCRIPT
node "$work/encode.js" >"$work/table"

TZ=Europe/Vienna "$work/venv/bin/python" - "$work/table" <<'PYTHON'
import sys
from datetime import UTC, datetime
from pathlib import Path

import pamqp.decode
import pamqp.encode
import pika.data
from amqp.serialization import dumps, loads


def pika_encode(table):
    pieces = []
    pika.data.encode_table(pieces, table)
    return b"".join(pieces)


from_javascript = bytes.fromhex(Path(sys.argv[1]).read_text())
assert pamqp.decode.field_table(from_javascript)[1] == {"due": {}}, from_javascript

due = datetime(2026, 7, 1, 12, tzinfo=UTC)
written = [
    write({"due": due.replace(microsecond=500_000)})
    for write in (pamqp.encode.field_table, pika_encode, lambda table: dumps("F", [table]))
]
assert len(set(written)) == 1, written

wire = written[0]
assert pamqp.decode.field_table(wire)[1] == {"due": due}
assert pika.data.decode_table(wire, 0)[0] == {"due": due}
naive = loads("F", wire, 0)[0][0]["due"]
assert naive == datetime(2026, 7, 1, 12) and naive.tzinfo is None, naive
off = due.timestamp() - naive.timestamp()
assert off == 7200, off
print(
    "amqplib 2.3.1 sent a Date as {}; "
    f"pika and pamqp read {due.timetz()}, py-amqp {naive.time()} without a zone: in Vienna {off:.0f} s off"
)
PYTHON

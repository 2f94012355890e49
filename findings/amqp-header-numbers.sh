#!/usr/bin/env bash
# A number in an AMQP 0-9-1 header loses its digits, its fraction or its reader, by which two clients meet.
#
# Seen with pamqp 4.0.1 (PyPI, under aio-pika), pika 1.4.4, amqp 5.4.2 (under Celery and kombu), amqplib 2.3.1 (npm).
#
# 1. pamqp writes every Python float as `f`, four bytes: about seven digits. A Unix time as a float arrives up to 64
#    seconds off. py-amqp writes `d`, eight bytes.
# 2. pika reads `f` and `d` as integers: 0.75 is 0 to it. It cannot write a float at all: UnsupportedAMQPFieldException,
#    so that it cannot pass on what others send.
# 3. py-amqp writes integers above 2^31-1 as `L`. amqplib knows no `L` and raises TypeError: a count of milliseconds since
#    1970 from a Celery producer is unreadable to it. pika and pamqp write `l` for the same number, which all four read.
#
# Text is the only thing in a header that all of them agree on.
#
# Output when written:
#   1795867200.25 from pamqp is 1795867264.0 to py-amqp; 0.75 is 0 to pika; 1795867200250 from py-amqp is "Unexpected type tag" to amqplib
#
# Known: pika/pika#599 (floats become integers), pika/pika#1705 (float is written as `d`: merged, in no release that was
# tried here), amqp-node/amqplib#646 (no `L`, on purpose: RabbitMQ's errata of AMQP 0-9-1, section 3). Of pamqp's four
# bytes nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check amqp==5.4.2 pamqp==4.0.1 pika==1.4.4
npm install --silent --no-audit --no-fund --prefix "$work" amqplib@2.3.1 >/dev/null

cat >"$work/decode.js" <<'JAVASCRIPT'
const codec = require('./node_modules/amqplib/lib/codec.js');
try {
  console.log(codec.decodeFields(Buffer.from(process.argv[2], 'hex').subarray(4)).x);
} catch (error) {
  console.log(`${error.name}: ${error.message}`);
}
JAVASCRIPT

"$work/venv/bin/python" - "$work/decode.js" <<'PYTHON'
import subprocess
import sys

import pamqp.decode
import pamqp.encode
import pika.data
from amqp.serialization import dumps, loads
from pika.exceptions import UnsupportedAMQPFieldException


def pyamqp_encode(value):
    return dumps("F", [{"x": value}])


def pyamqp_decode(wire):
    return loads("F", wire, 0)[0][0]["x"]


def pamqp_encode(value):
    return pamqp.encode.field_table({"x": value})


def pika_encode(value):
    pieces = []
    pika.data.encode_table(pieces, {"x": value})
    return b"".join(pieces)


def pika_decode(wire):
    return pika.data.decode_table(wire, 0)[0]["x"]


def amqplib_decode(wire):
    asked = ["node", sys.argv[1], wire.hex()]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


instant = 1795867200.25
off = pyamqp_decode(pamqp_encode(instant))
assert off == 1795867264.0, off
assert pyamqp_decode(pyamqp_encode(instant)) == instant

rounded = pika_decode(pyamqp_encode(0.75))
assert rounded == 0 and isinstance(rounded, int), rounded
try:
    pika_encode(0.75)
except UnsupportedAMQPFieldException:
    pass
else:
    raise AssertionError("pika writes floats now")

milliseconds = 1795867200250
refused = amqplib_decode(pyamqp_encode(milliseconds))
assert refused == 'TypeError: Unexpected type tag "L"', refused
for encode in (pamqp_encode, pika_encode):
    assert pyamqp_decode(encode(milliseconds)) == milliseconds
    assert amqplib_decode(encode(milliseconds)) == str(milliseconds)
print(
    f"{instant} from pamqp is {off} to py-amqp; 0.75 is {int(rounded)} to pika; "
    f'{milliseconds} from py-amqp is "Unexpected type tag" to amqplib'
)
PYTHON

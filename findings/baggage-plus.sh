#!/usr/bin/env bash
# OpenTelemetry's baggage between Python and JavaScript: a space arrives as a plus sign, and a plus sign as a space.
#
# Seen with opentelemetry-api 1.45.2 (PyPI), @opentelemetry/core 2.12.1 and @opentelemetry/api 1.9.1 (npm).
#
# Baggage travels in a header, or in the header of a message, beside traceparent. W3C Baggage percent-encodes what does not
# fit, and lets a plus sign stand for itself. Python writes and reads it as a form's field: a space becomes `+`, and `+`
# a space. So "nightly build" from Python is "nightly+build" in JavaScript, and `C++` that a peer writes as it is
# arrives in Python as `C`. Nothing is logged. A property behind a value, `;prop=2`, which JavaScript keeps apart, is
# part of the value to Python, and goes on as such: `y=1;prop=2` leaves as `y=1%3Bprop%3D2`.
# Between two services of one language all of it comes back right, so that no test of one service shows it.
#
# Output when written:
#   Python's "nightly build" is "nightly+build" in JavaScript; `lang=C++,y=1;prop=2` is C++ and 1 in JavaScript, 'C' and '1;prop=2' in Python
#
# Documented: W3C Baggage (a plus sign is a `baggage-octet`; what is none is percent-encoded; properties follow a value after
# a semicolon). Known: open-telemetry/opentelemetry-python#5566 and #2010 (the plus sign, open), the same in
# open-telemetry/opentelemetry-dotnet#5260 (mended). Of the properties nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check opentelemetry-api==1.45.2
npm install --silent --no-audit --no-fund --prefix "$work" @opentelemetry/core@2.12.1 @opentelemetry/api@1.9.1 >/dev/null

cat >"$work/read.cjs" <<'JAVASCRIPT'
const { W3CBaggagePropagator } = require('@opentelemetry/core');
const { propagation, defaultTextMapGetter, ROOT_CONTEXT } = require('@opentelemetry/api');
const context = new W3CBaggagePropagator().extract(ROOT_CONTEXT, { baggage: process.argv[2] }, defaultTextMapGetter);
const entries = propagation.getBaggage(context).getAllEntries();
console.log(JSON.stringify(Object.fromEntries(entries.map(([name, entry]) => [name, entry.value]))));
JAVASCRIPT

"$work/venv/bin/python" - "$work/read.cjs" <<'PYTHON'
import json
import subprocess
import sys

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

propagator = W3CBaggagePropagator()


def in_javascript(header):
    return json.loads(subprocess.check_output(["node", sys.argv[1], header]))


written = {}
propagator.inject(written, baggage.set_baggage("job", "nightly build"))
arrived = in_javascript(written["baggage"])
assert baggage.get_all(propagator.extract(written)) == {"job": "nightly build"}, written
assert arrived == {"job": "nightly+build"}, arrived

foreign = "lang=C++,y=1;prop=2"
theirs = in_javascript(foreign)
context = propagator.extract({"baggage": foreign})
ours = baggage.get_all(context)
assert theirs == {"lang": "C++", "y": "1"}, theirs
assert ours == {"lang": "C", "y": "1;prop=2"}, ours
passed_on = {}
propagator.inject(passed_on, context)
assert passed_on["baggage"] == "lang=C,y=1%3Bprop%3D2", passed_on
print(
    f"""Python's "nightly build" is "{arrived["job"]}" in JavaScript; """
    f"`{foreign}` is {theirs['lang']} and {theirs['y']} in JavaScript, {ours['lang']!r} and {ours['y']!r} in Python"
)
PYTHON

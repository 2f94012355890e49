#!/usr/bin/env bash
# A text as the data of a CloudEvent in JSON: in binary mode both SDKs send it without its quotes, so that "5" arrives as 5.
#
# Seen with cloudevents 2.2.0 (PyPI) and cloudevents 10.0.0 (npm).
#
# In binary mode the body is the data in the format that `datacontenttype` names: of the text `5` in application/json that
# is three bytes, `"5"`. Both SDKs send a text as it stands, whatever the type says. A reader of JSON then refuses `hello`,
# takes "5" for a number, and `{"a":1}`, which was a text that the producer had, for an object. The same event in
# structured mode arrives as a text. So what a consumer gets depends on the mode that the producer chose.
# What is no text fares no better: Python sends true as `True`, which is no JSON, and reads it back as a text without an
# error; JavaScript puts a number and a boolean into the message as they are, and its own reader refuses that body.
#
# Output when written:
#   Python: binary hello, 5, True came back as 'hello', 5, 'True', structured as 'hello', '5', True
#   JavaScript: binary hello, 5, {"a":1} came back as "hello", "5", {"a":1}, structured as "hello", "5", "{\"a\":1}"; 5 as a number: invalid payload type
#
# Documented: CloudEvents 1.0, JSON format, section 3.1 (a text in `data` is a JSON string); HTTP binding, section 3.1.2.
# Discussed: cloudevents/spec#558 (open: it is for the SDK's user to encode, says the one of JavaScript). Of Python's
# `True` nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check cloudevents==2.2.0
npm install --silent --no-audit --no-fund --prefix "$work" cloudevents@10.0.0 >/dev/null

"$work/venv/bin/python" - <<'PYTHON'
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

json_format = JSONFormat()
attributes = {
    "specversion": "1.0",
    "id": "1",
    "source": "/orders",
    "type": "order.noted",
    "datacontenttype": "application/json",
}
events = [CloudEvent(attributes, data) for data in ("hello", "5", True)]
sent = [http.to_binary(event, json_format) for event in events]
assert [message.body for message in sent] == [b"hello", b"5", b"True"], sent
binary = [http.from_binary(message, json_format, CloudEvent).get_data() for message in sent]
assert repr(binary) == "['hello', 5, 'True']", binary
structured = [
    http.from_structured(http.to_structured(event, json_format), json_format, CloudEvent).get_data()
    for event in events
]
assert repr(structured) == "['hello', '5', True]", structured
print(
    "Python: binary " + ", ".join(message.body.decode() for message in sent),
    "came back as " + ", ".join(map(repr, binary)) + ", structured as " + ", ".join(map(repr, structured)),
)
PYTHON

cat >"$work/text.cjs" <<'JAVASCRIPT'
const assert = require('node:assert');
const { CloudEvent, HTTP } = require('cloudevents');
const event = (data) =>
  new CloudEvent({ id: '1', source: '/orders', type: 'order.noted', datacontenttype: 'application/json', data });
const shown = (values) => values.map((value) => JSON.stringify(value)).join(', ');

const texts = ['hello', '5', '{"a":1}'];
const bodies = texts.map((text) => HTTP.binary(event(text)).body);
assert.deepStrictEqual(bodies, texts);
const binary = texts.map((text) => HTTP.toEvent(HTTP.binary(event(text))).data);
assert.deepStrictEqual(binary, ['hello', '5', { a: 1 }]);
const structured = texts.map((text) => HTTP.toEvent(HTTP.structured(event(text))).data);
assert.deepStrictEqual(structured, texts);

let number;
try {
  number = HTTP.toEvent(HTTP.binary(event(5))).data;
} catch (error) {
  number = error.message.split(',')[0];
}
assert.strictEqual(number, 'invalid payload type');
console.log(
  `JavaScript: binary ${bodies.join(', ')} came back as ${shown(binary)}, structured as ${shown(structured)}; ` +
    `5 as a number: ${number}`,
);
JAVASCRIPT
node "$work/text.cjs"

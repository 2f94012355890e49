#!/usr/bin/env bash
# A2A's data parts have no integers: an id above 2^53 comes back as another id, and 1 as 1.0.
#
# Seen with a2a-sdk 1.3.0 (PyPI), protobuf 7.36.2, A2A protocol 1.0.
#
# `Part.data` and `metadata` of a message are google.protobuf.Value and Struct, whose only number is a double. JSON that is
# parsed into a message and printed again has other numbers: integers up to 2^53 become 1.0, larger ones are rounded to
# the next double. Nothing is raised. A reader with strict types refuses 1.0 for an integer; a reader in JavaScript, to
# which 1.0 is 1, never notices. An agent that sends database ids or nanoseconds through A2A should send them as
# strings.
#
# Output when written:
#   a2a-sdk 1.3.0: {"attempt": 3, "order": 9007199254740993} became {"attempt": 3.0, "order": 9007199254740992.0}
#
# Known: protocolbuffers/protobuf#10669 (asked for an integer in Value; closed), adcontextprotocol/adcp#7096 (the same
# in A2A, with a counter for optimistic concurrency).

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check a2a-sdk==1.3.0 protobuf==7.36.2

"$work/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version

from a2a.types import a2a_pb2
from google.protobuf import json_format

sent = {"attempt": 3, "order": 2**53 + 1}
message = json_format.Parse(
    json.dumps({"messageId": "1", "role": "ROLE_USER", "parts": [{"data": sent}], "metadata": sent}),
    a2a_pb2.Message(),
)
printed = json.loads(json_format.MessageToJson(message))
data = dict(sorted(printed["parts"][0]["data"].items()))

assert json.dumps(data) == '{"attempt": 3.0, "order": 9007199254740992.0}', data
assert printed["metadata"] == data, printed
print(f"a2a-sdk {version('a2a-sdk')}: {json.dumps(sent)} became {json.dumps(data)}")
PYTHON

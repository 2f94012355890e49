#!/usr/bin/env bash
# One JSON Schema of 2020-12, one value, four validators: 19.99 is a multiple of 0.01 to two of them.
#
# Seen with jsonschema 4.26.0, jsonschema-rs 0.61.2, fastjsonschema 2.22.3 (PyPI), ajv 8.20.0 (npm).
#
# A form checks with one library and the service behind it with another; each says of the same value:
# - `multipleOf: 0.01` for 19.99, or 0.1 for 0.3: jsonschema and ajv divide doubles and refuse it, the other two do
#   not. Money with two places is the commonest use of the keyword. In cents, with `multipleOf: 1`, all agree.
# - `^[a-z]+$` for "a" with a newline behind it: jsonschema asks Python's `re`, to which `$` is also before a last newline.
# - `required: [toString]` for {}: to ajv it is there, on the object's prototype, unless it is given `ownProperties: true`.
# - `$ref` beside `maxLength`: fastjsonschema, which knows drafts up to 7, ignores all that stands beside a `$ref`.
#
# Output when written:
#   jsonschema no yes no no; jsonschema-rs yes no no no; fastjsonschema yes no no yes; ajv no no yes no
#
# Documented: JSON Schema 2020-12, validation, 6.2.1 (a multiple is one by division to an integer), core, 6.4 (regular
# expressions of ECMA-262) and 8.2.3.1 (beside `$ref`); ajv's options `multipleOfPrecision` and `ownProperties`. Known:
# python-jsonschema/jsonschema#185 and ajv-validator/ajv#652 (multiples; by design).

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check \
  fastjsonschema==2.22.3 jsonschema==4.26.0 jsonschema-rs==0.61.2
npm install --silent --no-audit --no-fund --prefix "$work" ajv@8.20.0 >/dev/null

cat >"$work/cases.json" <<'JSON'
[
  [{"multipleOf": 0.01}, 19.99],
  [{"pattern": "^[a-z]+$"}, "a\n"],
  [{"required": ["toString"]}, {}],
  [{"$ref": "#/$defs/name", "maxLength": 3, "$defs": {"name": {"type": "string"}}}, "longer"]
]
JSON

cat >"$work/verdicts.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import fastjsonschema
import jsonschema
import jsonschema_rs

cases = [
    ({"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema, value)
    for schema, value in json.loads(Path(sys.argv[1]).read_text())
]


def by_jsonschema(schema, value):
    return jsonschema.Draft202012Validator(schema).is_valid(value)


def by_fastjsonschema(schema, value):
    try:
        fastjsonschema.validate(schema, value)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


validators = {
    "jsonschema": by_jsonschema,
    "jsonschema-rs": jsonschema_rs.is_valid,
    "fastjsonschema": by_fastjsonschema,
}
for name, valid in validators.items():
    print(name, *("yes" if valid(schema, value) else "no" for schema, value in cases), end="; ")
PYTHON

cat >"$work/verdicts.cjs" <<'JAVASCRIPT'
const Ajv = require('ajv/dist/2020').default;
const cases = require('./cases.json');
console.log('ajv', ...cases.map(([schema, value]) => (new Ajv({ strict: false }).validate(schema, value) ? 'yes' : 'no')));
JAVASCRIPT

seen="$("$work/venv/bin/python" "$work/verdicts.py" "$work/cases.json"); $(node "$work/verdicts.cjs")"
seen=${seen/; ;/;}
echo "$seen"
test "$seen" = "jsonschema no yes no no; jsonschema-rs yes no no no; fastjsonschema yes no no yes; ajv no no yes no"

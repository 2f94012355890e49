#!/usr/bin/env bash
# A field that a server has a default for: the generated TypeScript demands it, and the generated Python sends its own copy.
#
# Seen with openapi-typescript 7.13.0 (npm), openapi-python-client 0.29.1, fastapi 0.165.0 (PyPI).
#
# `priority: str = "normal"` of a request is optional, with `default: normal`, as FastAPI writes it: "what the server takes
# where the field is left out". openapi-typescript makes it a property that has to be there, in requests as in
# answers, so that the smallest request does not compile (`--default-non-nullable=false` makes it optional in both).
# openapi-python-client keeps it optional and sends the default by itself: what the server's default was on the day of
# generating goes out with each request. A later release that makes it "low", or takes another one by tenant, is
# never asked. And who adds a default to an existing field changes what the clients that are generated next send.
#
# Output when written:
#   required: name; openapi-typescript: name, priority; openapi-python-client sends {'name': 'x', 'priority': 'normal'}
#
# Documented: OpenAPI 3.1 (`default` is documentation of what happens without a value, JSON Schema 2020-12, validation, 9.2);
# openapi-typescript's option. Known: openapi-ts/openapi-typescript#1944 and #2012 (open), pyopenapi/pyswagger#191 (the copy, of
# another generator). Of openapi-python-client nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check \
  fastapi==0.165.0 openapi-python-client==0.29.1
npm install --silent --no-audit --no-fund --prefix "$work" openapi-typescript@7.13.0 >/dev/null

"$work/venv/bin/python" - >"$work/openapi.json" <<'PYTHON'
import json

from fastapi import FastAPI
from pydantic import BaseModel


class Submission(BaseModel):
    name: str
    priority: str = "normal"


app = FastAPI()


@app.post("/tasks")
def submit(task: Submission) -> None: ...


print(json.dumps(app.openapi()))
PYTHON
(
    cd "$work"
    PATH="$work/venv/bin:$PATH" openapi-python-client generate --path openapi.json --output-path generated --meta none
    node_modules/.bin/openapi-typescript openapi.json --output generated.ts
) >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import json
import re
from pathlib import Path

from generated.models import Submission

schema = json.loads(Path("openapi.json").read_text())["components"]["schemas"]["Submission"]
assert schema["properties"]["priority"]["default"] == "normal", schema
(typescript,) = re.findall(r"Submission: \{(.*?)\n        \}", Path("generated.ts").read_text(), re.DOTALL)
demanded = re.findall(r"(\w+): string", typescript)
sent = Submission(name="x").to_dict()
seen = (
    f"required: {', '.join(schema['required'])}; openapi-typescript: {', '.join(demanded)}; "
    f"openapi-python-client sends {sent}"
)
expected = (
    "required: name; openapi-typescript: name, priority; "
    "openapi-python-client sends {'name': 'x', 'priority': 'normal'}"
)
assert seen == expected, seen
print(seen)
PYTHON

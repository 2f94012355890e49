#!/usr/bin/env bash
# pydantic writes JSON that pydantic refuses to read: 254 levels out, 200 in.
#
# Seen with pydantic 2.14.4, pydantic-core 2.50.5 (PyPI), CPython 3.11.
#
# Serializing stops at 254 levels of lists or objects, parsing JSON at 200, and neither can be set. In between lies what
# `model_dump_json` writes and `model_validate_json` of the same model refuses: a row that a service has stored and cannot
# load, a message that it has sent and its like rejects. Validating what the standard library has parsed
# takes it, so that two ways into one model differ. Whoever stores what others send should refuse it at the door
# by its depth, at less than 200 with one's own envelope around it.
#
# Output when written:
#   a model around 210 levels: model_dump_json writes it, model_validate_json: recursion limit exceeded, model_validate(json.loads()) takes it; the limits are 254 and 200
#
# Known: pydantic/pydantic#9544 (the limit of parsing, open), pydantic/pydantic-core#744 (the limit of serializing, 255).
# That they differ, and so a round trip fails, was found in no page.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pydantic==2.14.4 pydantic-core==2.50.5

"$work/venv/bin/python" - <<'PYTHON'
import json
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json


class Task(BaseModel):
    payload: Any


def nested(levels, wrap):
    value = 1
    for _ in range(levels):
        value = wrap(value)
    return value


def deepest(accepts):
    return max(levels for levels in range(1, 300) if accepts(levels))


def works(action, *errors):
    try:
        action()
    except errors:
        return False
    return True


for wrap in (lambda value: [value], lambda value: {"a": value}):
    written = deepest(lambda n: works(lambda: to_json(nested(n, wrap)), PydanticSerializationError))
    read = deepest(lambda n: works(lambda: from_json(json.dumps(nested(n, wrap))), ValueError))
    assert (written, read) == (254, 200), (written, read)

    task = Task(payload=nested(210, wrap))
    stored = task.model_dump_json()
    try:
        Task.model_validate_json(stored)
    except ValidationError as error:
        assert "recursion limit exceeded" in str(error), error
    else:
        raise AssertionError("the round trip works now")
    assert Task.model_validate(json.loads(stored)) == task

print(
    "a model around 210 levels: model_dump_json writes it, model_validate_json: recursion limit exceeded, "
    f"model_validate(json.loads()) takes it; the limits are {written} and {read}"
)
PYTHON

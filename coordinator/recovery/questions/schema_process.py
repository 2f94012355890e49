"""Checks an answer by a JSON schema, as a process of its own that `schema_check` starts for each answer.

    standard input, {"schema", "answer"} ─▶ standard output: {"valid"}, {"problem"} or {"no_schema"}

The schema is from an agent, which need not be trusted. It fetches nothing (no remote `$ref`), and its
patterns are matched in linear time, by a syntax without look-around and back-references. What it takes to
apply it cannot be told beforehand: with references one of a kilobyte can ask for more steps than a year has
time for. So this process limits itself, and the kernel ends it.

It is run by its path, and imports nothing of the project: so it starts within 50 ms.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, NoReturn

import jsonschema_rs

__all__ = ["CPU_SECONDS"]

CPU_SECONDS = 2
"""After this the kernel ends the process, whoever waits for it or has been killed meanwhile. By the CPU and
not by a clock: a busy machine makes no schema a bad one."""

MEMORY = 256 * 1024 * 1024
"""Bytes of address space."""

NICE = 10
"""Submissions and all else go first."""

MOST_NAMED = 500
"""Characters of a refusal that are from the schema or the answer."""


def verdict_on(schema: dict[str, Any], answer: Any) -> dict[str, Any]:
    """What is printed: where the answer is none, `path` and `problem`; where the schema is none, why."""
    try:
        validator = jsonschema_rs.validator_for(
            schema, retriever=_fetch_nothing, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError as exc:
        return {"no_schema": _first_line(exc)}
    try:
        error = next(iter(validator.iter_errors(answer)), None)
    except ValueError as exc:  # half a character, say
        return {"path": [], "problem": f"cannot be judged by the schema: {_first_line(exc)}"}
    if error is None:
        return {"valid": True}
    return {"path": list(error.instance_path), "problem": error.message[:MOST_NAMED]}


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0][:MOST_NAMED]


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"schemas of other places are not fetched: {uri}")


def _limit() -> None:
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere it may not be lowered below what is mapped already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    _limit()
    asked = json.load(sys.stdin)
    json.dump(verdict_on(asked["schema"], asked["answer"]), sys.stdout)

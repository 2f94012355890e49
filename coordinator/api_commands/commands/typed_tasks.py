"""Makes a task of what was typed: `TYPE NAME=TEXT NAME:=JSON`, `--data`, and options."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coordinator.client import NewTask
from coordinator.errors import OperatorError

__all__ = ["json_object", "text_of", "typed_data", "typed_task"]

_REQUIREMENTS = (
    ("capabilities", "capability"),
    ("services", "service"),
    ("agent_type", "agent_type"),
    ("agent_id", "agent"),
)
"""The name of the API, and that of the option."""


def typed_task(options: argparse.Namespace, data: Mapping[str, Any]) -> NewTask:
    """With the options beside the ``data``."""
    if options.task_id is not None:
        data = {**data, "task_id": options.task_id}
    requirements = {
        name: found for name, option in _REQUIREMENTS if (found := getattr(options, option))
    }
    return NewTask(
        task_data=data,
        priority=options.priority,
        requirements=requirements or None,
        timeout_seconds=options.attempt_timeout,
        max_attempts=options.max_attempts,
        delay_seconds=options.delay,
        not_before=options.not_before,
        expires_in_seconds=options.expires_in,
        metadata=dict(options.metadata) or None,
        group=options.group,
        tags=options.tag or None,
        callback=None if options.callback is None else {"url": options.callback},
    )


def typed_data(words: Sequence[str], base: str | None) -> dict[str, Any]:
    """``base`` is `--data`, on top of which the words go. Raises `OperatorError`."""
    data = {} if base is None else json_object("--data", base)
    fields = list(words)
    if fields and "=" not in fields[0]:
        data["task_type"] = fields.pop(0)
    for word in fields:
        data.update([_field(word)])
    if not data:
        raise OperatorError(
            "There is no task: give its TYPE and fields, as in `coordinator submit keywords"
            " path=library/on-queues.md`, or --data"
        )
    return data


def _field(word: str) -> tuple[str, Any]:
    name, sign, text = word.partition("=")
    if not sign or not name.rstrip(":"):
        raise OperatorError(f"{word!r} is no field of the data: give NAME=TEXT or NAME:=JSON")
    if not name.endswith(":"):
        return name, text
    try:
        return name[:-1], json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise OperatorError(
            f"{word!r} is not JSON after the `:=` ({exc}): a text is given with NAME=TEXT"
        ) from exc


def json_object(name: str, given: str) -> dict[str, Any]:
    """The object that an option holds, or `@FILE`, or `-`. Raises `OperatorError`."""
    try:
        found = json.loads(text_of(name, given))
    except (ValueError, RecursionError) as exc:
        raise OperatorError(f"{name} is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise OperatorError(f"{name} is no JSON object: give one such as '{{\"n\": 1}}'")
    return found


def text_of(name: str, given: str) -> str:
    """What ``given`` says, or the file of `@FILE`, or the standard input for `-`. Raises `OperatorError`."""
    if given != "-" and not given.startswith("@"):
        return given
    path = given.removeprefix("@")
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise OperatorError(f"{name} names {path}, which cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise OperatorError(f"{name} names {path}, which is no text in UTF-8") from exc

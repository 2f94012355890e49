"""Reads a heartbeat: the sign of life counts, whatever of its state cannot be read."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from coordinator.protocol.json_values.lenient_reading import LeftOut, read_what_can_be

from .events import AgentHeartbeat

__all__ = ["read_heartbeat", "unread_tasks"]

_TASKS = frozenset({"running", "held"})
_SAYS_NOT_WHICH = frozenset({"started_at", "fraction", "message", "task_token", "crashes"})
"""Of a task in a list, what may be missing without another task being meant."""


def read_heartbeat(source: Any) -> tuple[AgentHeartbeat, tuple[LeftOut, ...]]:
    """``source`` is JSON as bytes, or what was parsed of it. Raises `ValidationError`.

    Where a task that the agent has in hand cannot be read, both lists are left out: what is left of them
    would say that it does not have that task. Characters that are no Unicode, such as half of one that was
    cut, are replaced.
    """
    try:
        beat, left_out = read_what_can_be(AgentHeartbeat, source, spares=AgentHeartbeat.spares)
    except ValidationError as exc:
        mended = _in_unicode(source)
        if mended is None or exc.errors(include_url=False)[0]["type"] != "json_invalid":
            raise
        beat, left_out = read_what_can_be(AgentHeartbeat, mended, spares=AgentHeartbeat.spares)
        left_out = (*left_out, _NO_UNICODE)
    if unread_tasks(left_out):
        told = beat.model_fields_set - _TASKS
        beat = AgentHeartbeat.model_validate({name: getattr(beat, name) for name in told})
    return beat, left_out


def _in_unicode(source: Any) -> bytes | None:
    """JSON whose texts every reader takes; None where it is no JSON."""
    if not isinstance(source, bytes):
        return None
    try:
        value = json.loads(source.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


_NO_UNICODE = LeftOut(field="text", why="holds characters that are no Unicode")


def unread_tasks(left_out: tuple[LeftOut, ...]) -> bool:
    """Whether a heartbeat does not say which tasks its agent has, though it meant to."""
    for one in left_out:
        head, *rest = one.field.split(".")
        if head in _TASKS and (not rest or rest[-1] not in _SAYS_NOT_WHICH):
            return True
    return False

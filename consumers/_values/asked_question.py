"""Checks what a handler asks people, and makes plain JSON of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.task_events import MAX_QUESTION_BYTES, MAX_QUESTION_ID

from .result_encoding import NotJson, encoded

__all__ = ["LONGEST_HOLD", "AskedQuestion", "asked_question"]

LONGEST_HOLD = 900.0
"""Seconds that an attempt may wait in its slot: RabbitMQ takes back what is not acknowledged for 30 minutes
(its `consumer_timeout`), and the work before and after it needs time, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """Says what is asked, as JSON, and how long an answer is waited for."""

    question_id: str
    question: Any
    digest: str
    answer_schema: dict[str, Any] | None
    timeout: float | None
    """Seconds; None, only of one that is released, is for ever."""
    release: bool


def asked_question(
    question: Any,
    *,
    question_id: str,
    schema: Mapping[str, Any] | None,
    timeout: float | None,
    release: bool,
) -> AskedQuestion:
    """Raises `ValueError` for what cannot be asked."""
    if question is None:
        raise ValueError("the question is None: ask for something, as a text or as plain JSON")
    if not 0 < len(question_id) <= MAX_QUESTION_ID:
        raise ValueError(f"a question_id has 1 to {MAX_QUESTION_ID} characters")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"a timeout is more than 0 seconds, not {timeout!r}")
    if not release and timeout is not None and timeout > LONGEST_HOLD:
        raise ValueError(
            f"an attempt waits in its slot for {LONGEST_HOLD:g} seconds at most, because RabbitMQ takes"
            " its task back after a while: ask with release=True to wait for longer"
        )
    asked = _plain(question, "the question")
    return AskedQuestion(
        question_id=question_id,
        question=asked,
        digest=json_digest(asked),
        answer_schema=None if schema is None else _plain(dict(schema), "the schema"),
        timeout=timeout if release or timeout is not None else LONGEST_HOLD,
        release=release,
    )


def _plain(value: Any, what: str) -> Any:
    try:
        plain = encoded(value)[0]
    except NotJson as exc:
        raise ValueError(f"{what} must be a text or plain JSON ({exc.why}): {exc.advice}") from None
    size = len(to_json(plain))
    if size > MAX_QUESTION_BYTES:
        raise ValueError(f"{what} has {size} bytes as JSON, and {MAX_QUESTION_BYTES} are allowed")
    return plain

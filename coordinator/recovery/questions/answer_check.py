"""Judges an answer by its size, and by the choices that its question names. Pure.

Where the question has a JSON schema, that counts in place of choices: see `schema_check`.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from coordinator.domain.task import Question
from coordinator.errors import InvalidRequest
from coordinator.protocol.json_values.json_limits import json_problem

__all__ = ["MAX_ANSWER_BYTES", "check_answer"]

FIELD = "answer"

MAX_ANSWER_BYTES = 16 * 1024
"""Of JSON. Answers go with the task's message to the attempts that follow."""

MOST_NAMED = 500
"""Characters of a refusal that are the question's."""


def check_answer(question: Question, answer: Any) -> None:
    """Raises `InvalidRequest` for an answer that is none to this question; by its schema it is not judged."""
    problem = json_problem(answer)
    if problem is not None:
        raise InvalidRequest(f"{FIELD} {problem}", field=FIELD)
    size = len(to_json(answer))
    if size > MAX_ANSWER_BYTES:
        raise InvalidRequest(
            f"{FIELD} has {size} bytes of JSON, and {MAX_ANSWER_BYTES} are allowed: store it elsewhere,"
            " and answer with a reference to it",
            field=FIELD,
        )
    if question.answer_schema is not None:
        return
    choices = choices_of(question.question)
    if choices is not None and not any(_same(answer, choice) for choice in choices):
        named = to_json(choices).decode()[:MOST_NAMED]
        raise InvalidRequest(f"{FIELD} must be one of {named}", field=FIELD)


def choices_of(question: Any) -> list[Any] | None:
    """All the answers there are, where the question names them."""
    choices = question.get("choices") if isinstance(question, dict) else None
    return choices if isinstance(choices, list) and choices else None


def _same(one: Any, other: Any) -> bool:
    """As JSON: `true` is not 1."""
    return to_json(one) == to_json(other)

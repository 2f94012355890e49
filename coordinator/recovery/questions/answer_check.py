"""Judges an answer by what its question asks for: the choices that it names, or its JSON schema. Pure.

The schema is from an agent, which need not be trusted: it fetches nothing (no remote `$ref`), and its
patterns are matched in linear time, by a syntax without look-around and back-references.
"""

from __future__ import annotations

from typing import Any, NoReturn

import jsonschema_rs
from pydantic_core import to_json

from coordinator.domain.task import Question
from coordinator.errors import InvalidRequest, WrongState
from coordinator.protocol.json_values.json_limits import json_problem

__all__ = ["MAX_ANSWER_BYTES", "check_answer"]

FIELD = "answer"

MAX_ANSWER_BYTES = 16 * 1024
"""Of JSON. Answers go with the task's message to the attempts that follow."""

MOST_NAMED = 500
"""Characters of a refusal that are from the schema or the answer."""


def check_answer(question: Question, answer: Any) -> None:
    """Raises `InvalidRequest` for an answer that is none to this question, and `WrongState` where nobody can
    answer it, because its schema is none.
    """
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
        _check_schema(question.answer_schema, answer)
        return
    choices = choices_of(question.question)
    if choices is not None and not any(_same(answer, choice) for choice in choices):
        named = to_json(choices).decode()[:MOST_NAMED]
        raise InvalidRequest(f"{FIELD} must be one of {named}", field=FIELD)


def _check_schema(schema: dict[str, Any], answer: Any) -> None:
    try:
        validator = jsonschema_rs.validator_for(
            schema, retriever=_fetch_nothing, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError as exc:
        raise WrongState(
            f"Nobody can answer this question: its schema is not valid ({_first_line(exc)}). Cancel the"
            " task, and mend the agent"
        ) from exc
    error = next(iter(validator.iter_errors(answer)), None)
    if error is not None:
        where = "".join(f"[{part!r}]" for part in error.instance_path)
        raise InvalidRequest(f"{FIELD}{where}: {error.message[:MOST_NAMED]}", field=FIELD)


def choices_of(question: Any) -> list[Any] | None:
    """All the answers there are, where the question names them."""
    choices = question.get("choices") if isinstance(question, dict) else None
    return choices if isinstance(choices, list) and choices else None


def _same(one: Any, other: Any) -> bool:
    """As JSON: `true` is not 1."""
    return to_json(one) == to_json(other)


def _fetch_nothing(uri: str) -> NoReturn:
    raise ValueError(f"schemas of other places are not fetched: {uri}")


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0][:MOST_NAMED]

"""Runs `coordinator cancel`, `retry` and `answer`."""

from __future__ import annotations

import json
import sys
from typing import Any

from coordinator.api_commands.exit_statuses import DONE
from coordinator.api_commands.printing.cell_texts import as_json
from coordinator.errors import OperatorError

from .invocation import Invocation
from .typed_tasks import json_object

__all__ = ["answer", "cancel", "retry"]


def cancel(call: Invocation) -> int:
    """`cancel ID…`."""

    def end(task_id: str) -> None:
        done = call.client.cancel(task_id, call.options.reason)
        call.printer.answer(
            done, lambda: call.printer.line(f"Cancelled {done.task_id}, which was {done.was}")
        )

    return call.each(call.options.task_ids, end)


def retry(call: Invocation) -> int:
    """`retry ID`."""
    data = call.options.data
    done = call.client.retry(
        call.options.task_id,
        task_data=None if data is None else json_object("--data", data),
        delay_seconds=call.options.delay,
    )
    call.printer.answer(
        done,
        lambda: call.printer.line(
            f"{done.task_id} goes round again, for the {done.generation}. time; it was {done.was}"
        ),
    )
    if done.warning and not call.printer.json:
        call.printer.note(f"Warning: {done.warning}")
    return DONE


def answer(call: Invocation) -> int:
    """`answer ID [ANSWER]`: without an answer, the question is shown, and one is asked for."""
    options = call.options
    text = options.answer
    question_id = options.question_id
    if text is None:
        text, question_id = _asked_for(call)
    done = call.client.answer(
        options.task_id, _value(text, as_json=options.as_json), question_id=question_id
    )
    call.printer.answer(done, lambda: call.printer.line(f"Answered {done.task_id}"))
    return DONE


def _asked_for(call: Invocation) -> tuple[str, str]:
    """What is typed, and the id of the question that it is for."""
    task = call.client.task(call.options.task_id)
    if task.question is None:
        raise OperatorError(f"Task {task.task_id} asks nothing: it is {task.state}")
    if call.options.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise OperatorError(
            f"Task {task.task_id} asks {as_json(task.question.question)}: give an ANSWER behind its id"
        )
    call.printer.note(f"It asks {as_json(task.question.question)}")
    if task.question.answer_schema is not None:
        call.printer.note(f"An answer satisfies {as_json(task.question.answer_schema)}")
    print("Answer: ", end="", file=sys.stderr, flush=True)
    typed = sys.stdin.readline()
    if not typed:
        raise OperatorError("Nothing was answered")
    return typed.rstrip("\n"), task.question.question_id


def _value(text: str, *, as_json: bool) -> Any:
    if not as_json:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise OperatorError(f"The answer is not JSON: {exc}") from exc

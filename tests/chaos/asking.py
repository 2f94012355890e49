"""What handlers ask people, and how the answers are judged: by the handler, which ends as dead with
`WrongAnswer` where it is given another's answer, none, or one that nobody gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consumers import Discard, Task

__all__ = ["QUESTIONS", "Question", "answer_for", "ask_all", "releases_of"]

TOO_LONG = 0.5
"""Seconds until a question that nobody answers is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Is asked once, and again by each attempt after it."""

    release: bool
    """Whether the attempt ends with it, and the next one is given the answer."""
    unheard: bool = False
    """Whether nobody answers it."""


QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "held": (Question(release=False),),
    "released": (Question(release=True),),
    "one of each": (Question(release=False), Question(release=True), Question(release=False)),
    "held, nobody answers": (Question(release=False, unheard=True),),
    "released, nobody answers": (Question(release=True, unheard=True),),
}
"""By the name that a task's data have as `asks`: one after the other."""


class WrongAnswer(Discard):
    """The answer is not to what was asked."""


def releases_of(asks: str | None) -> int:
    """How many attempts end with a question, in a task that asks so."""
    return 0 if asks is None else sum(one.release for one in QUESTIONS[asks])


def answer_for(question: Any) -> dict[str, Any] | None:
    """What people say to it; None where they say nothing."""
    return None if question["unheard"] else {"answer to": question}


async def ask_all(task: Task, asks: str) -> None:
    """Ask what the task says. Raises `WrongAnswer`."""
    for number, one in enumerate(QUESTIONS[asks]):
        question = {"of": task.data["number"], "number": number, "unheard": one.unheard}
        limit = TOO_LONG if one.unheard else None
        answer: Any
        try:
            answer = await task.ask(question, release=one.release, timeout=limit)
        except TimeoutError:
            answer = None
        if answer != answer_for(question):
            raise WrongAnswer(f"{answer} to {question}")

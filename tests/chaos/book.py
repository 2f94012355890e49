"""What producers were answered: what they may rely on, what they may not, and what must never be."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.workload import Wish

__all__ = ["Book"]


@dataclass(slots=True)
class Book:
    """A wish is in one of three states: accepted, refused ("nothing was sent"), or in doubt."""

    accepted: dict[str, Wish] = field(default_factory=dict)
    """By the id that was answered with 200."""
    numbers: set[int] = field(default_factory=set)
    """Of what was accepted."""
    first_sent: dict[int, float] = field(default_factory=dict)
    """When each number was sent for the first time; seconds since 1970."""
    accepted_at: list[tuple[float, str]] = field(default_factory=list)
    """When, in order; seconds since 1970."""
    refused: dict[int, Wish] = field(default_factory=dict)
    """By number: never to be heard of again."""
    in_doubt: dict[int, Wish] = field(default_factory=dict)
    """By number: the answer was "unknown", or never came."""
    ids: dict[int, str] = field(default_factory=dict)
    """Of those that were ever in doubt, by number, as far as an answer named them."""
    doubts: Counter[int] = field(default_factory=Counter)
    """How often each number was sent without knowing what came of it."""
    cancelling: set[str] = field(default_factory=set)
    """Ids whose cancellation was asked for, whatever came of it."""
    cancelled: set[str] = field(default_factory=set)
    """Ids whose cancellation was answered 200."""
    answers: Counter[str] = field(default_factory=Counter)
    """What was answered, for people to read."""

    slowest: dict[str, float] = field(default_factory=dict)
    """Seconds until an answer, by its status."""

    def took(self, answer: str, seconds: float) -> None:
        self.slowest[answer] = max(seconds, self.slowest.get(answer, 0.0))

    def send(self, wishes: Iterable[Wish]) -> None:
        for wish in wishes:
            self.first_sent.setdefault(wish.number, time.time())

    def accept(self, wish: Wish, task_id: str) -> None:
        assert task_id not in self.accepted, f"{task_id} was accepted before"
        self.in_doubt.pop(wish.number, None)
        self.refused.pop(wish.number, None)
        self.accepted[task_id] = wish
        self.numbers.add(wish.number)
        self.accepted_at.append((time.time(), task_id))
        self.answers["accepted"] += 1

    def refuse(self, wish: Wish) -> None:
        """Whoever was in doubt stays so: the refusal is of the repetition."""
        self.answers["not sent"] += 1
        if wish.number not in self.in_doubt:
            self.refused[wish.number] = wish

    def doubt(self, wish: Wish, task_id: str | None, why: str) -> None:
        self.answers[why] += 1
        self.doubts[wish.number] += 1
        self.refused.pop(wish.number, None)
        self.in_doubt[wish.number] = wish
        if task_id is not None:
            self.ids[wish.number] = task_id

    def id_in_doubt(self, wish: Wish) -> str | None:
        """To submit it again with; None where there is no doubt, or no id."""
        return self.ids.get(wish.number) if wish.number in self.in_doubt else None

    def wishes(self) -> dict[str, Wish]:
        """By id, as far as it is known: what was accepted, and what may have been."""
        doubtful = {
            self.ids[number]: wish for number, wish in self.in_doubt.items() if number in self.ids
        }
        return doubtful | self.accepted

    @property
    def nameless(self) -> int:
        """Tasks that may exist under an id that nobody was told."""
        return len(self.in_doubt.keys() - self.ids.keys())

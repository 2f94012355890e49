"""What is submitted: a mixed load, made of a seeded choice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from coordinator.domain.transitions.attempts import ATTEMPT_LOST
from coordinator.protocol.priority import Priority
from tests.chaos.asking import QUESTIONS, releases_of
from tests.chaos.misbehaving import MISBEHAVIOURS, PLAINLY, Misbehaviour

__all__ = [
    "AGENTS",
    "FOREIGN",
    "SLOTS",
    "End",
    "Wish",
    "every_slot",
    "one_for_each_queue",
    "one_of_each_kind",
    "wishes",
]

AGENTS = {"ada": "left", "bob": "right", "cy": "left,right", "dee": ""}
"""The agents, and what each can do."""

SLOTS = 4
"""Of each of them."""

FOREIGN = "fay"
"""The one of `foreign.ForeignAgent`."""

REQUIREMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"capabilities": ["left"]},
    {"capabilities": ["right"]},
    {"capabilities": ["left", "right"]},
    {"agent_id": "dee"},
)
OFTEN = (12, 3, 3, 1, 1)

OF_FOREIGN: dict[str, Any] = {
    "priority": Priority.NORMAL.value,
    "requirements": {"agent_id": FOREIGN},
}

UNKNOWN_TYPE = "unheard-of"
"""No agent announces it: those with a default handler do its tasks."""

MAX_ATTEMPTS = 3
FEW_FAILURES = (1, 1, 2, MAX_ATTEMPTS)
FIRST_PAUSE = 0.3
"""Seconds before the second attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a task ends."""

    state: str
    error_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A task to be submitted, known by its number whatever becomes of the request."""

    number: int
    body: dict[str, Any]

    @property
    def failures(self) -> int:
        """How many of its attempts do not go well: the first ones."""
        return int(self._data.get("failures", 0))

    @property
    def max_attempts(self) -> int:
        return int(self.body.get("max_attempts", MAX_ATTEMPTS))

    @property
    def due(self) -> int:
        """How often it is executed where nothing goes wrong but what it asks for."""
        if self.failures and not self._fault.retried:
            return 1
        return min(self.failures + 1, self.max_attempts) + self.releases

    @property
    def releases(self) -> int:
        """How many of its executions end with a question, and count as no attempt."""
        return releases_of(self._data.get("asks"))

    @property
    def losses(self) -> int:
        """How many of its attempts are to be given up, since their outcome is lost."""
        return min(self.failures, self.max_attempts) if self._is_of_foreign else 0

    @property
    def declined(self) -> bool:
        """Whether it is to be given back by an agent."""
        return bool(self._data.get("declined"))

    @property
    def right_end(self) -> End:
        """Where nobody cancels it, and no faults cost it its attempts."""
        if not self.failures or (self._fault.retried and self.failures < self.max_attempts):
            return End(state="completed")
        error_type = ATTEMPT_LOST if self._is_of_foreign else self._fault.error_type
        return End(state="dead", error_type=error_type)

    def with_id(self, task_id: str | None) -> Wish:
        """The same work, as it is submitted again."""
        data = self._data | {"task_id": task_id}
        return replace(self, body=self.body | {"task_data": data})

    @property
    def own_id(self) -> str | None:
        """The id that the producer gave it."""
        found: str | None = self._data.get("task_id")
        return found

    @property
    def _data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.body["task_data"]
        return data

    @property
    def _fault(self) -> Misbehaviour:
        return MISBEHAVIOURS[self._data.get("misbehaves", PLAINLY)]

    @property
    def _is_of_foreign(self) -> bool:
        return bool(self.body["requirements"] == OF_FOREIGN["requirements"])


def wishes(rng: random.Random, *, loses: bool = False) -> Iterator[Wish]:
    """Without end. Most are quick, as a load of many tasks is; some take long enough to be caught at
    work by every fault, and some are not done as they should. ``loses``: whether outcomes of some are
    lost, which takes its time to be noticed.
    """
    number = 0
    while True:
        number += 1
        data: dict[str, Any] = {"number": number}
        body: dict[str, Any] = {
            "task_data": data,
            "priority": rng.choice(list(Priority)).value,
            "requirements": rng.choices(REQUIREMENTS, OFTEN)[0],
        }
        if rng.random() < 0.1:
            data["work_ms"] = rng.choice([2, 10, 50, 50, 300, 2000])
        if rng.random() < 0.01:
            data["forks"] = True
        if rng.random() < 0.02:
            data["task_type"] = UNKNOWN_TYPE
        if rng.random() < 0.02:
            data["asks"] = rng.choice(list(QUESTIONS))
        elif rng.random() < 0.1:
            _misbehave(data, body, rng)
        if rng.random() < 0.03:
            body["delay_seconds"] = round(rng.uniform(0.2, 4.0), 3)
        if rng.random() < 0.1:
            data["task_id"] = f"chosen-{number}"
        if rng.random() < 0.005:
            body |= OF_FOREIGN
            body["task_data"] = {"number": number} | _foreign(rng, loses=loses)
        yield Wish(number=number, body=body)


def _misbehave(data: dict[str, Any], body: dict[str, Any], rng: random.Random) -> None:
    data["misbehaves"] = rng.choice([PLAINLY] * 8 + list(MISBEHAVIOURS))
    data["failures"] = rng.choice(FEW_FAILURES)
    body |= {"max_attempts": MAX_ATTEMPTS, "backoff": {"first_seconds": FIRST_PAUSE}}


def _foreign(rng: random.Random, *, loses: bool) -> dict[str, Any]:
    if loses and rng.random() < 0.2:
        return {"failures": 1}
    return {"declined": True, "task_type": UNKNOWN_TYPE}


def one_for_each_queue(time: int = 0) -> list[Wish]:
    """So that all queues that the load will use are open before the first fault; ``time`` tells those
    of later times apart."""
    kinds = [
        {"priority": priority.value, "requirements": wanted}
        for priority in Priority
        for wanted in REQUIREMENTS
    ]
    kinds.append(OF_FOREIGN)
    return [
        Wish(number=number, body={"task_data": {"number": number}} | kind)
        for number, kind in enumerate(kinds, -len(kinds) * (time + 1))
    ]


def one_of_each_kind() -> list[Wish]:
    """Of all that is not done as it should: once so that the next attempt may go well, and once to the
    end; and of all that is asked.
    """
    anyone: dict[str, Any] = {"priority": Priority.NORMAL.value, "requirements": {}}
    again: dict[str, Any] = {"backoff": {"first_seconds": FIRST_PAUSE}}
    kinds: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"misbehaves": name, "failures": failures}, anyone | again)
        for name in MISBEHAVIOURS
        for failures in (1, MAX_ATTEMPTS)
    ]
    kinds += [
        *(({"asks": name}, anyone) for name in QUESTIONS),
        ({"forks": True}, anyone),
        ({"task_type": UNKNOWN_TYPE}, anyone),
        ({"declined": True, "task_type": UNKNOWN_TYPE}, OF_FOREIGN),
        ({"failures": 1}, OF_FOREIGN | again),
        ({"failures": 1}, OF_FOREIGN | {"max_attempts": 1}),
    ]
    return [
        Wish(number=number, body={"task_data": {"number": number} | data} | body)
        for number, (data, body) in enumerate(kinds, -2_000_000)
    ]


def every_slot() -> list[Wish]:
    """Tasks that wait until every slot of their agent has one: they end where no slot is lost."""
    seats = [agent for agent in AGENTS for _ in range(SLOTS)]
    return [
        Wish(
            number=number,
            body={
                "task_data": {"number": number, "together": True, "task_id": f"slot{number}"},
                "priority": Priority.NORMAL.value,
                "requirements": {"agent_id": agent},
            },
        )
        for number, agent in enumerate(seats, -1_000_000)
    ]

"""What is submitted: a mixed load, made of a seeded choice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from coordinator.protocol.priority import Priority

__all__ = ["AGENTS", "MAX_ATTEMPTS", "Wish", "one_for_each_queue", "wishes"]

AGENTS = {"ada": "left", "bob": "right", "cy": "left,right", "dee": ""}
"""The agents, and what each can do."""

REQUIREMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"capabilities": ["left"]},
    {"capabilities": ["right"]},
    {"capabilities": ["left", "right"]},
    {"agent_id": "dee"},
)
OFTEN = (12, 3, 3, 1, 1)

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A task to be submitted, known by its number whatever becomes of the request."""

    number: int
    body: dict[str, Any]

    @property
    def due(self) -> int:
        """How often it is executed where nothing goes wrong but what it asks for."""
        failures = int(self.body["task_data"].get("failures", 0))
        return min(failures + 1, MAX_ATTEMPTS)

    def with_id(self, task_id: str | None) -> Wish:
        """The same work, as it is submitted again."""
        data = self.body["task_data"] | {"task_id": task_id}
        return replace(self, body=self.body | {"task_data": data})

    @property
    def own_id(self) -> str | None:
        """The id that the producer gave it."""
        found: str | None = self.body["task_data"].get("task_id")
        return found


def wishes(rng: random.Random) -> Iterator[Wish]:
    """Without end. Most are quick, as a load of many tasks is; some take long enough to be caught at
    work by every fault."""
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
        if rng.random() < 0.04:
            data["failures"] = rng.choice([1, 1, 2, MAX_ATTEMPTS])
            body |= {"max_attempts": MAX_ATTEMPTS, "backoff": {"first_seconds": 0.3}}
        if rng.random() < 0.03:
            body["delay_seconds"] = round(rng.uniform(0.2, 4.0), 3)
        if rng.random() < 0.1:
            data["task_id"] = f"chosen-{number}"
        yield Wish(number=number, body=body)


def one_for_each_queue(time: int = 0) -> list[Wish]:
    """So that all queues that the load will use are open before the first fault; ``time`` tells those
    of later times apart."""
    kinds = [(priority, wanted) for priority in Priority for wanted in REQUIREMENTS]
    return [
        Wish(
            number=-number - time * len(kinds),
            body={
                "task_data": {"number": -number - time * len(kinds)},
                "priority": priority.value,
                "requirements": wanted,
            },
        )
        for number, (priority, wanted) in enumerate(kinds)
    ]

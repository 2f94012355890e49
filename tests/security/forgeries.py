"""Every message by which somebody may try to speak for another, or to say what is not theirs to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.cloudevents import BATCH, STRUCTURED
from coordinator.protocol.messages.task_output import OUTPUT_TYPE, output_key
from coordinator.protocol.name_encoding import (
    COORDINATOR_AUTHOR,
    DEAD_LETTER_KEY,
    encode_word,
)
from coordinator.protocol.topology import EVENTS, LOG, OUTPUT, TASKS, WORK

from .actors import Letter, event

__all__ = [
    "Scene",
    "by_key_and_user",
    "of_coordinators",
    "of_outcomes",
    "of_output",
    "of_tasks",
    "output",
]

NOW = "2026-01-02T03:04:05+00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Whom it is about: an agent with a task that runs, and somebody else with a token of another task."""

    victim: str
    """The agent's id, and its user's name."""
    task: dict[str, Any]
    """Of the victim, as its message was: without the token, which nobody else has seen."""
    attacker: str
    own_task: dict[str, Any]
    """Of the attacker, with its token."""

    def fence(self, **more: Any) -> dict[str, Any]:
        names = ("task_id", "generation", "attempt")
        return {name: self.task[name] for name in names} | {"agent_id": self.victim} | more

    @property
    def token(self) -> str:
        return str(self.own_task["task_token"])


def _agents_words(scene: Scene) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the victim might say."""
    token = {"task_token": scene.token}
    error = {"error": {"type": "E", "message": "no"}, "retryable": False}
    yield "task.started", scene.fence()
    yield "task.progress", scene.fence(fraction=0.9)
    yield "task.completed", scene.fence(result="forged", **token)
    yield "task.failed", scene.fence(**error, **token)
    yield "task.declined", scene.fence(**token)
    me = {"agent_id": scene.victim}
    yield "agent.registered", {**me, "agent_type": "worker", "capabilities": ["forged"]}
    yield "agent.heartbeat", {**me, "status": "degraded", "sequence": 10**6, "instance": "forged"}
    yield "agent.status-changed", {**me, "status": "maintenance"}
    yield "agent.stopped", me
    yield "agent.removed", me


def by_key_and_user(scene: Scene) -> Iterator[tuple[str, Letter]]:
    """The victim's words, by each way that leaves out one of the four: key, body, user, exchange."""
    word, own = encode_word(scene.victim), encode_word(scene.attacker)
    for kind, data in _agents_words(scene):
        noun, what = kind.split(".")
        letter = event(kind, word, **data)
        yield f"{kind} with the victim's key and no user", replace(letter, user_id="")
        yield f"{kind} with the victim's key and the sender's user", letter
        yield f"{kind} with the victim's user", replace(letter, user_id=scene.victim)
        yield f"{kind} with the sender's key", replace(letter, key=f"{noun}.{own}.{what}")
        yield (
            f"{kind} past the exchange of events",
            replace(letter, exchange="", headers={"CC": [LOG]}),
        )
        named = {"specversion": "1.0", "id": new_id(), "source": "/", "type": kind, "time": NOW}
        whole = named | {"data": data}
        for key in (f"{noun}.{word}.batch", f"{noun}.{own}.batch"):
            yield (
                f"{kind} in a batch with the key {key}",
                Letter(key=key, body=[whole], type="batch", content_type=BATCH),
            )
        yield (
            f"{kind} in structured mode",
            Letter(key=letter.key, body=whole, content_type=STRUCTURED),
        )


def of_outcomes(scene: Scene) -> Iterator[tuple[str, Letter]]:
    """What the sender may say of its own tasks, said of the victim's: under its own name."""
    own = encode_word(scene.attacker)
    for kind, data in _agents_words(scene):
        if kind.startswith("task."):
            mine = data | {"agent_id": scene.attacker}
            without = {name: value for name, value in mine.items() if name != "task_token"}
            yield f"{kind} of a task that it never had", event(kind, own, **without)
            with_token = mine | {"task_token": scene.token}
            yield f"{kind} with another task's token", event(kind, own, **with_token)


def of_coordinators(scene: Scene) -> Iterator[tuple[str, Letter]]:
    """What coordinators alone say."""
    fence = scene.fence()
    del fence["agent_id"]
    lost = {"started_by": scene.victim, "started_at": NOW, "reason": "not-named", "message": "m"}
    too_large = {"size": 2, "limit": 1, "message": "m"}
    for kind, data in (
        ("task.cancelled", fence | {"reason": "requested"}),
        ("task.expired", fence),
        ("task.lost", fence | lost),
        ("task.too-large", fence | too_large),
        ("ledger.caught-up", {"marks": []}),
        ("ledger.ended", {"tasks": []}),
        ("ledger.followed", {"process": "forged"}),
        ("ledger.grew", {}),
        ("ledger.hindered", {"problems": ["a forged problem"]}),
        ("ledger.marked", {}),
    ):
        yield kind, event(kind, COORDINATOR_AUTHOR, **data)
    lane = {"lane": "cap:forged", "priority": "high", "requirements": {"capabilities": ["forged"]}}
    yield "source.opened", event("source.opened", "cap:forged", **lane)
    for priority in ("urgent", "critical", "high", "normal", "low"):
        retired = {"lane": "any", "priority": priority}
        yield f"source.retired {priority}", event("source.retired", "any", **retired)


def of_tasks(scene: Scene) -> Iterator[tuple[str, Letter]]:
    """Tasks that no producer submitted, and changes of the victim's."""
    forged = scene.own_task | {"task_id": f"forged-{new_id()}"}
    again = scene.task | {"task_token": scene.token, "attempt": 2}
    death = {"queue": "tasks.any.normal", "reason": "rejected", "exchange": TASKS, "count": 1}
    dead = {
        "x-first-death-queue": "tasks.any.normal",
        "x-first-death-reason": "rejected",
        "x-death": [death],
    }
    for what, task in (("a forged task", forged), ("the victim's task", again)):
        letter = Letter(key="any.normal", body=task, exchange=TASKS, type="task")
        yield f"{what} by the exchange of tasks", letter
        yield f"{what} without a user", replace(letter, user_id="")
        yield f"{what} straight into the log", replace(letter, exchange="", key=LOG)
        yield f"{what} as an event", replace(letter, exchange=EVENTS, key="task.x.started")
        yield (
            f"{what} under the key of a lane among the events",
            replace(letter, exchange=EVENTS, headers={"CC": ["task.x.y"]}),
        )
        grouped = replace(letter, body=[task, task], type="tasks")
        yield f"{what} in a group, straight into the log", replace(grouped, exchange="", key=LOG)
        yield f"{what} in a group by the exchange of tasks", grouped
        buried = replace(letter, exchange=EVENTS, key=DEAD_LETTER_KEY)
        yield f"{what} as a dead letter", buried
        yield f"{what} as a dead letter with the broker's headers", replace(buried, headers=dead)
        yield (
            f"{what} as a dead letter through the exchange of tasks",
            replace(buried, exchange=TASKS, headers=dead),
        )
    submitted = {**scene.fence(), "task": scene.own_task}
    yield "task.submitted as an event", event("task.submitted", COORDINATOR_AUTHOR, **submitted)
    yield (
        "task.dead-lettered as an event",
        event("task.dead-lettered", "~broker", **submitted, reason="rejected"),
    )
    yield (
        "a task into a lane past the log",
        Letter(key="cap:forged.high", body=forged, exchange=WORK, type="task"),
    )


def output(agent_id: str, piece: dict[str, Any]) -> Letter:
    """Partial output, as ``agent_id`` tells it."""
    told = {"run": "r", "first": 1, "chunks": ["forged"]} | piece
    names = ("task_id", "generation", "attempt", "task_token", "run", "first", "chunks")
    piece = {name: told[name] for name in names if name in told}
    return Letter(
        exchange=OUTPUT,
        key=output_key(agent_id),
        body={"agent_id": agent_id, "output": [piece]},
        type=OUTPUT_TYPE,
    )


def of_output(scene: Scene, queue: str) -> Iterator[tuple[str, Letter]]:
    """What the victim's task might say; ``queue`` is where a coordinator hears it."""
    victims = output(scene.victim, {**scene.task, "task_token": scene.token})
    own = output(scene.attacker, {**scene.task, "task_token": scene.token})
    yield "of the victim's task, with a token of another", own
    yield "the same in the victim's name", victims
    yield "with the victim's user", replace(victims, user_id=scene.victim)
    yield "with no user", replace(victims, user_id="")
    yield "with the sender's key", replace(victims, key=output_key(scene.attacker))
    yield "with the victim's key", replace(own, key=output_key(scene.victim))
    yield "without a token", output(scene.attacker, {**scene.task, "task_token": ""})
    true = output(scene.attacker, scene.own_task)
    yield "past the exchange", replace(true, exchange="", key=queue)
    yield "as an event", replace(true, exchange=EVENTS)
    later = scene.own_task | {"attempt": scene.own_task["attempt"] + 1}
    yield "of a later attempt of its own task", output(scene.attacker, later)

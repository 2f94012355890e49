"""Every event of a task carries its producer's context over the broker, whoever states it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consumers import Task
from coordinator.bootstrap.replacements import Replacements
from coordinator.protocol.messages.events import Event, TaskSubmitted
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.ledger.batch_folding import FoldedBatch
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually

TRACE = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "vendor=1")


class Seen:
    """A `FoldInterceptor` that keeps the events of tasks that were new."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def before(self, events: Sequence[Event]) -> None: ...

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:
        self.events += [one for one in batch.events if one.type.startswith("task.")]

    def failed(self, events: Sequence[Event], error: BaseException) -> None: ...

    def of(self, task_id: str) -> list[tuple[str, TraceContext | None]]:
        found = [one for one in self.events if one.data.subject == task_id]
        return [(one.type, _trace(one)) for one in found]


def _trace(event: Event) -> TraceContext | None:
    """A submission is the task's own message, which has it in its body."""
    if isinstance(event.data, TaskSubmitted):
        return event.data.task.trace
    return event.trace


async def test_each_event_of_a_task_carries_the_context_of_its_submission(
    broker: Broker, tmp_path: Path
) -> None:
    seen = Seen()
    watched = Replacements(fold_interceptors=[seen])
    async with serving(broker, tmp_path, replacements=watched) as service:
        agent = service.agent()

        @agent.default
        async def work(task: Task) -> object:
            await task.progress(0.5, "half")
            if task.attempt == 1:
                raise ValueError("not yet")
            return await task.ask("Go on?")

        async def submit(**more: object) -> str:
            answer = await service.http.post(
                "/tasks/submit",
                json={"task_data": {}, "backoff": {"first_seconds": 0}, **more},
                headers=TRACE.headers(),
            )
            assert answer.status_code == 200, answer.text
            task_id: str = answer.json()["task_id"]
            return task_id

        async with agent.running():
            task_id = await submit()
            await service.becomes(task_id, "input_required")
            await service.post(f"/tasks/{task_id}/input", answer="yes")
            await service.ends(task_id)
            other = await submit(requirements={"agent_id": "nobody"})
            await service.post(f"/tasks/{other}/cancel")
            await service.ends(other)
        await eventually(lambda: len(seen.of(other)) == 2)
    told = seen.of(task_id)
    assert {kind for kind, _ in told} == {
        *("task.submitted", "task.started", "task.progress", "task.failed"),
        *("task.asked", "task.answered", "task.completed"),
    }
    assert {kind for kind, _ in seen.of(other)} == {"task.submitted", "task.cancelled"}
    without = [kind for kind, trace in [*told, *seen.of(other)] if trace != TRACE]
    assert without == []

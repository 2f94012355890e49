"""Tells how an agent stands, as numbers: what Prometheus reads of it beside its attempts."""

from __future__ import annotations

from .._working.output_publisher import OutputPublisher
from .._working.task_executor import TaskExecutor
from .agent_health import AgentHealth

__all__ = ["AgentFigures"]


class AgentFigures:
    """Reads plain numbers, one by one, since it is asked from another thread. Both methods give a sentence
    and a value by the name of the figure.
    """

    def __init__(
        self, executor: TaskExecutor, health: AgentHealth, output: OutputPublisher
    ) -> None:
        self._executor = executor
        self._health = health
        self._output = output

    def stands(self) -> dict[str, tuple[str, float]]:
        """What goes up and down."""
        slots = self._executor.slots
        status = self._health.status()
        return {
            "slots": ("Tasks that it may do at once.", slots.count),
            "slots_occupied": ("Slots in which a handler runs.", slots.count - slots.unoccupied),
            "handlers_abandoned": (
                "Handlers that go on although they were told to stop, each in a slot.",
                slots.given_up,
            ),
            "backlog_tasks": ("Tasks in hand that no handler runs.", len(self._executor.backlog)),
            "at_work": ("1 while it takes tasks, or would with a free slot.", status == "active"),
            "problems": ("Problems that its heartbeats tell of.", len(self._health.problems())),
        }

    def counted(self) -> dict[str, tuple[str, float]]:
        """What only grows."""
        output = self._output
        return {
            "output_chunks": ("Chunks of partial output that were published.", output.published),
            "output_chunks_dropped": (
                "Chunks of partial output that made room for later ones: the broker took too few.",
                output.dropped,
            ),
        }

"""Takes in heartbeats: drops late copies, and notes load, problems, clock skew and control queue.

Every heartbeat of the whole fleet passes here, and none of them touches SQL.
"""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.registry.projection.left_out_fields_log import LeftOutFieldsLog

from .agent_roster import AgentRoster
from .doubled_instances import DoubledInstances
from .named_tasks import NamedTasks

__all__ = ["HeartbeatIntake"]

_STATUSES = tuple(status.value for status in AgentStatus)


class HeartbeatIntake:
    """The newest heartbeat of an agent replaces the one before."""

    def __init__(self, roster: AgentRoster, doubled: DoubledInstances, named: NamedTasks) -> None:
        self._roster = roster
        self._named = named
        self._doubled = doubled
        self._left_out = LeftOutFieldsLog()

    def take(self, event: Event, beat: AgentHeartbeat) -> None:
        """``beat`` is the event's data. That of an agent which is not known changes nothing."""
        known = self._roster.get(beat.agent_id)
        if known is None:
            return
        last = known.heartbeat
        if last is None or last.instance != beat.instance:
            known.clock_skew = None
        if last is not None and beat.instance is not None:
            if not known.renumbered and _is_overtaken(beat, last):
                return
            if last.instance not in (None, beat.instance):
                self._doubled.note(known, str(last.instance), beat.instance)
        in_hand, false = self._named.believed(beat)
        left_out = (*event.left_out, *_unknown_status(beat), *false)
        known.take(beat, left_out, in_hand)
        self._left_out.tell(beat.agent_id, left_out)
        if beat.load_metrics:
            known.load_metrics = dict(beat.load_metrics)
        self._roster.control_queues.sign(beat.agent_id, via=beat.via)
        self._roster.hear(known)
        if beat.instance is not None and event.dated:  # without one a coordinator may state it
            known.compare_clocks(beat.instance, event.time)
        self._roster.restate(known)


def _is_overtaken(beat: AgentHeartbeat, last: AgentHeartbeat) -> bool:
    """Whether it is a copy, or came late; what has no number of its own is taken as it comes."""
    numbered = "sequence" in beat.model_fields_set
    return numbered and beat.instance == last.instance and beat.sequence <= last.sequence


def _unknown_status(beat: AgentHeartbeat) -> Iterable[LeftOut]:
    if beat.status is not None and beat.status not in _STATUSES:
        yield LeftOut(field="status", why=f"{beat.status!r} is not one of: {', '.join(_STATUSES)}")

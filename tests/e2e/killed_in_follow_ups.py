"""The service, which kills itself with SIGKILL at one step of a follow-up task. KILL_AT names the step; so is
the parent called.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from coordinator.commands import cli
from coordinator.protocol.messages.agent_requests.follow_up import follow_up_id
from coordinator.protocol.messages.events import Event
from coordinator.recovery.overdue.follow_up_cancellations import WITH_PARENT
from coordinator.recovery.overdue.overdue_ends import OverdueEnds
from coordinator.registry.projection.projector import Projector
from coordinator.submission.follow_up_submitter import FollowUpSubmitter
from tests.e2e.killed_at import after, before, kill

__all__ = ["CANCELLING", "SUBMITTING"]

PARENT = os.environ.get("KILL_AT", "")
CHILD = follow_up_id(PARENT, 1, "=reminder")


def is_of_it(body: bytes, *_: object) -> bool:
    """Whether it is the request of the parent."""
    return bool(json.loads(body)["task_id"] == PARENT)


def folded() -> None:
    """The cancelled parent is in the ledger, and its log not acknowledged."""
    tell = Projector._tell

    def killed(self: Projector, stored: Any, readings: Any) -> None:
        if any(one.ends and one.now.task_id == PARENT for one in stored.changed):
            kill()
        tell(self, stored, readings)

    setattr(Projector, "_tell", killed)  # noqa: B010


def saying(*, said: bool) -> None:
    """What was ordered is published, or is just to be."""
    say = OverdueEnds._say

    @functools.wraps(say)
    async def killed(self: OverdueEnds, events: Sequence[Event], *given: Any) -> None:
        ours = any(one.id == f"{CHILD}.1.{WITH_PARENT}" for one in events)
        if ours and not said:
            kill()
        await say(self, events, *given)
        if ours:
            kill()

    setattr(OverdueEnds, "_say", killed)  # noqa: B010


SUBMITTING: dict[str, Callable[[], None]] = {
    "asked": lambda: before(FollowUpSubmitter, "answer", is_of_it),
    "submitted": lambda: after(FollowUpSubmitter, "answer", is_of_it),
}
"""What arms each, from the request of an agent to its answer."""

CANCELLING: dict[str, Callable[[], None]] = {
    "folded": folded,
    "ordered": lambda: saying(said=False),
    "said": lambda: saying(said=True),
}
"""From the end of a parent to that of its follow-up task."""


if __name__ == "__main__":
    (SUBMITTING | CANCELLING)[PARENT]()
    sys.exit(cli.main(sys.argv[1:]))

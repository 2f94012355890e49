"""Counts by user the requests of agents that were refused since the user is not the agent's, and tells it to
`/health`.

Nobody is answered who may be another, so this is where it shows: whoever looks after the broker's users puts
it right.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["RefusedUsers"]

LATELY = 3600.0
"""Seconds for which the service is degraded by one of them."""

MOST = 1000
"""Users that are told apart, each with the agent that it asked for; of more the oldest are forgotten."""

LONGEST = 128
"""Characters of an agent's id, as they are told."""

NAMED = 5
"""In a sentence; of more, the others' number."""


@dataclass(slots=True)
class _Asked:
    last: float
    times: int = 0


class RefusedUsers:
    """Remembers those of the last hour. ``monotonic`` is a clock in seconds that is never set."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._asked: dict[tuple[str, str | None], _Asked] = {}

    def note(self, agent_id: str, user: str | None) -> bool:
        """``user`` asked for this agent; whether that is news."""
        self._forget()
        key = agent_id[:LONGEST], user
        asked = self._asked.pop(key, None)
        found = asked or _Asked(last=0.0)
        found.last, found.times = self._monotonic(), found.times + 1
        self._asked[key] = found  # the latest at the end
        if len(self._asked) > MOST:
            del self._asked[next(iter(self._asked))]
        return asked is None

    def problems(self) -> list[str]:
        """A sentence, where there were any within the last hour."""
        self._forget()
        if not self._asked:
            return []
        times = sum(asked.times for asked in self._asked.values())
        latest = reversed(self._asked.items())
        told = [_told(agent_id, user, asked.times) for (agent_id, user), asked in latest]
        named = "; ".join(told[:NAMED])
        more = f"; and {len(told) - NAMED} others" if len(told) > NAMED else ""
        requests = "1 request of an agent was" if times == 1 else f"{times} requests of agents were"
        return [f"{requests} refused within the last hour: {named}{more}."]

    def _forget(self) -> None:
        since = self._monotonic() - LATELY
        while self._asked and next(iter(self._asked.values())).last < since:
            del self._asked[next(iter(self._asked))]


def _told(agent_id: str, user: str | None, times: int) -> str:
    count = "" if times == 1 else f" {times} times"
    if user is None:
        return f"a message that names no user (user_id) asked{count} for the agent {agent_id!r}"
    command = shlex.join(["coordinator", "agents", "add", agent_id, "--user", user])
    return (
        f"the user {user!r} asked{count} for the agent {agent_id!r}, whose it is not; if it is to be,"
        f" `{command}` enters it"
    )

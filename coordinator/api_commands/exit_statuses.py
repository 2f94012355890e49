"""Maps how a command of the API ended to its exit status, for scripts. Documented in each `--help`."""

from __future__ import annotations

__all__ = [
    "DONE",
    "EXPLAINED",
    "INTERRUPTED",
    "NOT_COMPLETED",
    "REFUSED",
    "TIME_OVER",
    "UNREACHABLE",
    "UNREAD",
    "USAGE",
]

DONE = 0
"""It was done; of a task that was waited for: it completed."""

NOT_COMPLETED = 1
"""A task that was waited for ended in another way; the service says that it is not healthy."""

USAGE = 2
"""The command cannot be run as it was typed or set up: an option, an address, a key, a package."""

UNREACHABLE = 3
"""Nothing answers, something else does, or the service cannot do it now: a wait may help."""

REFUSED = 4
"""The service refuses: no such thing, not as things stand, a value, a key, a role."""

TIME_OVER = 5
"""The time that the command was given is over; the task goes on."""

INTERRUPTED = 130
"""Ctrl-C."""

UNREAD = 141
"""Nobody reads any more what it prints, as behind `| head -1`."""

EXPLAINED = (
    (DONE, "done; a task that was waited for completed"),
    (NOT_COMPLETED, "a task that was waited for did not complete; the service is not healthy"),
    (USAGE, "cannot be run as it was typed or set up"),
    (UNREACHABLE, "no service answers, or it cannot do it now"),
    (REFUSED, "the service refuses it"),
    (TIME_OVER, "the time that was given is over"),
)
"""For help pages and the reference."""

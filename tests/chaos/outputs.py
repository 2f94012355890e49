"""What the coordinators wrote about publishes of their own that nobody answered.

A retry, or a scheduled task that is due, is published by a coordinator, and there the answer may be
"unknown" just as it may be for a producer: the message may have reached its queue and not the log. The
coordinator then publishes it again, since a task that is done twice is better than one that is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

__all__ = ["unanswered_publishes"]

_UNANSWERED = re.compile(
    r"an attempt is not published yet  task_id=(\S+)"
    r"  why=The (?:message was sent|connection was lost before the broker answered)"
)


def unanswered_publishes(folder: Path, coordinators: Iterable[str]) -> Counter[str]:
    """How often, by task; their outputs are in ``folder``, one for each of their lives."""
    outputs = [one for name in coordinators for one in folder.glob(f"{name}.*.out")]
    return Counter(
        found[1]
        for output in outputs
        for line in output.read_text(errors="replace").splitlines()
        if (found := _UNANSWERED.search(line))
    )

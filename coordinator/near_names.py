"""Says a name that is not known, and the known one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["LONGEST", "nearest", "quoted"]

ALIKE = 0.7
"""How much of two names must be the same, from 0 to 1: `chain_id` is not meant to be `agent_id`."""

LONGEST = 64
"""Characters of a name that are shown; nothing is near to a longer one."""


def quoted(name: str) -> str:
    """The name for a sentence, cut where it is long."""
    return repr(name if len(name) <= LONGEST else f"{name[:LONGEST]}…")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Which of ``known`` is spelt nearly so; None where none is."""
    if len(name) > LONGEST:
        return None
    found = get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=ALIKE)
    return found[0] if found else None

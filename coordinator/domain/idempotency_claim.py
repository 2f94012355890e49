"""Holds the claim of an Idempotency-Key, and the answer that a key was given. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["Answered", "IdempotencyClaim"]

NAMESPACE = uuid.UUID("6f6a1c5e-3f0d-5d0e-9d1b-0a5d0c9a7e11")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyClaim:
    """The right to answer a key, for a while."""

    key: str
    holder: str
    """A random word for each claim."""
    claimed_at: datetime
    """When the key was seen first."""
    fresh: bool
    """Nobody has begun before."""

    def task_id(self, index: int | None = None) -> str:
        """Of the task, or of one in a batch: the same whoever asks, and another once the key was
        forgotten and is used anew.
        """
        return self._id("" if index is None else str(index))

    def group_id(self) -> str:
        """Of the group that a batch is; the same for as long as `task_id` is."""
        return self._id("group")

    def _id(self, of: str) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{self.claimed_at.isoformat()} {of} {self.key}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Holds the answer that a key was given, by the request of this fingerprint; None: not yet."""

    fingerprint: str
    body: dict[str, Any] | None = None
    replayed: bool = True

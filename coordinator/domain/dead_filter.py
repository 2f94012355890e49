"""Selects dead tasks by the error they died of, their lane, type, labels and time of submission."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .labels.task_labels import ANY_LABELS, LabelFilter

__all__ = ["DeadFilter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFilter:
    """All that is given must match; None matches every task."""

    error_type: str | None = None
    lane: str | None = None
    task_type: str | None = None
    submitted_from: datetime | None = None
    submitted_before: datetime | None = None
    labels: LabelFilter = ANY_LABELS

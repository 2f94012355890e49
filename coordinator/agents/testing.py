"""Gives `consumers.testing` under a name that no file of a project takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sdk_import import import_sdk

if TYPE_CHECKING:
    from consumers.testing import (
        Asked,
        Cancelled,
        Completed,
        Discard,
        Failed,
        FollowUp,
        Interruption,
        Outcome,
        Progress,
        Ran,
        RetryLater,
        Returned,
        SubmissionRefused,
        run_task,
        run_task_sync,
    )

__all__ = [
    "Asked",
    "Cancelled",
    "Completed",
    "Discard",
    "Failed",
    "FollowUp",
    "Interruption",
    "Outcome",
    "Progress",
    "Ran",
    "RetryLater",
    "Returned",
    "SubmissionRefused",
    "run_task",
    "run_task_sync",
]


if not TYPE_CHECKING:  # whose readers would take every name for one that is there

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_sdk("testing"), name)

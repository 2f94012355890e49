"""Gives the agent SDK under a name that no file of a project takes: `from coordinator.agents import Agent`.

The SDK is the package `consumers`, and `from consumers import Agent` gives the same class. A project that
has a file `consumers.py` of its own hides the package from itself, since Python looks into the folder of the
program first. There this name goes on working, with the same files, and `consumers` stays the project's.

testing ..... handlers in tests, without a broker: `consumers.testing`
sdk_import .. imports the SDK's modules, also where their own name is taken
sdk ......... the SDK's files under that other name

`python -m coordinator.agents FILE.py:NAME` runs an agent, as `python -m consumers` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sdk_import import import_sdk

if TYPE_CHECKING:
    from consumers import (
        Agent,
        ArtifactDamaged,
        ArtifactMissing,
        ArtifactReference,
        ArtifactStoreRefused,
        ArtifactStoreUnavailable,
        Discard,
        FollowUp,
        Interceptor,
        RetryLater,
        RunningAgent,
        SubmissionRefused,
        Task,
    )

__all__ = [
    "Agent",
    "ArtifactDamaged",
    "ArtifactMissing",
    "ArtifactReference",
    "ArtifactStoreRefused",
    "ArtifactStoreUnavailable",
    "Discard",
    "FollowUp",
    "Interceptor",
    "RetryLater",
    "RunningAgent",
    "SubmissionRefused",
    "Task",
]


if not TYPE_CHECKING:  # whose readers would take every name for one that is there

    def __getattr__(name: str) -> Any:
        """What is asked for is looked up when it is: by then the folders of the program are known."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_sdk(), name)

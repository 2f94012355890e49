"""Holds the agent SDK where a project's own module `consumers` hides it: its files, under another name.

Nobody imports it by this name but `sdk_import`, and a child process that is sent something of it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import coordinator

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

# Modules of this package are looked for there. One wheel installs the two packages side by side.
__path__[:] = [str(Path(coordinator.__file__).resolve().parents[1] / "consumers")]

Agent = import_module(f"{__name__}.agent").Agent
_errors = import_module(f"{__name__}._artifacts.artifact_errors")
ArtifactDamaged = _errors.ArtifactDamaged
ArtifactMissing = _errors.ArtifactMissing
ArtifactStoreRefused = _errors.ArtifactStoreRefused
ArtifactStoreUnavailable = _errors.ArtifactStoreUnavailable
ArtifactReference = import_module(f"{__name__}._artifacts.artifact_reference").ArtifactReference
Discard = import_module(f"{__name__}.outcome").Discard
Interceptor = import_module(f"{__name__}.interceptor").Interceptor
FollowUp = import_module(f"{__name__}.task").FollowUp
RetryLater = import_module(f"{__name__}.outcome").RetryLater
RunningAgent = import_module(f"{__name__}.running_agent").RunningAgent
SubmissionRefused = import_module(f"{__name__}.task").SubmissionRefused
Task = import_module(f"{__name__}.task").Task

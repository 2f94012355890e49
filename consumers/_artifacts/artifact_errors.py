"""Says what may go wrong with an artifact, or with the store of an agent.

OperatorError
└── ArtifactStoreRefused ..... no store, no such bucket, no right to it
Unavailable
└── ArtifactStoreUnavailable . waiting may fix it
CoordinatorError
├── ArtifactMissing .......... the store has it no more
└── ArtifactDamaged .......... what the store has is not what was stored
"""

from __future__ import annotations

from coordinator.errors import CoordinatorError, OperatorError, Unavailable

__all__ = [
    "ArtifactDamaged",
    "ArtifactMissing",
    "ArtifactStoreRefused",
    "ArtifactStoreUnavailable",
]


class ArtifactStoreRefused(OperatorError):
    """There is no store for artifacts: set COORDINATOR_ARTIFACTS to file:///folder or s3://bucket/prefix."""


class ArtifactStoreUnavailable(Unavailable):
    """The store of artifacts cannot be reached right now; another attempt may succeed."""


class ArtifactMissing(CoordinatorError):
    """The store has no such artifact: it was removed, or is kept elsewhere."""


class ArtifactDamaged(CoordinatorError):
    """The store has something else than what the reference says."""

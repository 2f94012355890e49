"""Declares what a store of artifacts does: the port, with a form for folders and one for buckets."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Protocol

__all__ = ["ArtifactStore"]


class ArtifactStore(Protocol):
    """Keeps bytes under keys (`artifact_keys`) until its owner removes them. Called in any thread; blocks.

    Both raise `ArtifactStoreRefused` where the operator has to put something right, and
    `ArtifactStoreUnavailable` where another attempt may succeed.
    """

    @property
    def address(self) -> str:
        """With what the URI of each of its artifacts begins, before the slash."""

    def put(self, key: str, chunks: Iterator[bytes], *, media_type: str) -> None:
        """Keep all of ``chunks`` durably, or, if these raise, nothing; ``key`` is new."""

    def get(self, key: str) -> Generator[bytes, None, None]:
        """Raises `ArtifactMissing`, perhaps only where it is iterated."""

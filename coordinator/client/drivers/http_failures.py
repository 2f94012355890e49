"""Turns what httpx raises into an error of the tree: the one question is whether the request was sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from coordinator.client.errors import AnswerLost, NotACoordinator, NotReached, NotSent

__all__ = ["as_errors_of_the_tree", "too_large"]

_BEFORE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@contextmanager
def as_errors_of_the_tree(base_url: str) -> Iterator[None]:
    """Raises `NotSent` or `AnswerLost` for what httpx raises in the block."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
        raise _error(exc, base_url) from exc


def _error(exc: Exception, base_url: str) -> NotReached:
    said = str(exc) or type(exc).__name__
    if isinstance(exc, _BEFORE):
        return NotSent(f"No coordinator answers at {base_url}: {said}")
    return AnswerLost(f"The coordinator at {base_url} did not answer in full: {said}")


def too_large(base_url: str) -> NotACoordinator:
    """For an answer that does not end."""
    return NotACoordinator(f"The answer of {base_url} is too large to be one of a coordinator")

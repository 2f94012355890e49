"""Turns what httpx raises into an error of the tree: the one question is whether the request was sent."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from coordinator.client.errors import (
    AnswerLost,
    Misconfigured,
    NotACoordinator,
    NotReached,
    NotSent,
)

__all__ = ["as_errors_of_the_tree", "too_large", "too_slow"]

_BEFORE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)


@contextmanager
def as_errors_of_the_tree(base_url: str) -> Iterator[None]:
    """Raises a `NotReached` for what httpx raises in the block; `Misconfigured` for a certificate."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
        raise _error(exc, base_url) from exc


def _error(exc: Exception, base_url: str) -> NotReached | Misconfigured:
    if (untrusted := _untrusted(exc)) is not None:
        return Misconfigured(
            f"The certificate of {base_url} is not trusted ({untrusted}): name the file of"
            " its CA in SSL_CERT_FILE, or with Tls(ca_file=…)"
        )
    if isinstance(exc, httpx.PoolTimeout):
        return NotSent("All connections of this client were in use for too long")
    said = str(exc).rstrip(".") or type(exc).__name__
    if isinstance(exc, _BEFORE):
        return NotSent(f"No coordinator answers at {base_url}: {said}")
    if isinstance(exc, httpx.RemoteProtocolError) and base_url.startswith("http:"):
        said = f"{said}. If it speaks TLS, name it with https://"
    return AnswerLost(f"The coordinator at {base_url} did not answer in full: {said}")


def _untrusted(exc: BaseException | None) -> str | None:
    """What is wrong with a certificate, where that is the cause: no wait mends it."""
    while exc is not None:
        if isinstance(exc, ssl.SSLCertVerificationError):
            return exc.verify_message
        exc = exc.__cause__ or exc.__context__
    return None


def too_large(base_url: str) -> NotACoordinator:
    """For an answer that does not end."""
    return NotACoordinator(f"The answer of {base_url} is too large to be one of a coordinator")


def too_slow(base_url: str) -> AnswerLost:
    """For an answer that goes on and on, a byte at a time, when the time for it is over."""
    return AnswerLost(f"The coordinator at {base_url} did not answer in full in time")

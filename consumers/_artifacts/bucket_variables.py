"""Checks what the variables `AWS_*` say of the place of a bucket, and gives them to obstore: that would
fail at the first artifact, in words of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from coordinator.environment import value_of
from coordinator.errors import OperatorError

__all__ = ["checked_endpoint", "checked_region"]

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")


def checked_endpoint() -> str | None:
    """The address of the server, None where the environment names none. Raises `OperatorError`."""
    return _first(
        _ENDPOINTS,
        _is_endpoint,
        "the address of a server that speaks the protocol of S3, such as https://s3.example.com or"
        " http://127.0.0.1:9000",
    )


def checked_region() -> str | None:
    """It becomes part of the server's name. None where the environment names none. Raises `OperatorError`."""
    return _first(_REGIONS, _is_region, "the name of a region, such as eu-central-1")


def _first(names: Sequence[str], good: Callable[[str], bool], what: str) -> str | None:
    named = {name: value for name in names if (value := value_of(name)) is not None}
    for name, value in named.items():
        if not good(value):
            raise OperatorError(f"{name} must be {what}")
    return next(iter(named.values()), None)


def _is_region(value: str) -> bool:
    return re.fullmatch(r"[\w-]+", value, re.ASCII) is not None


def _is_endpoint(value: str) -> bool:
    if not (value.isascii() and value.isprintable()) or " " in value:
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:  # brackets without an address between them; a port that is none
        return False
    plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and plain

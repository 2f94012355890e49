"""Finds the key that a client presents: given, else in `COORDINATOR_KEY` or the file that
`COORDINATOR_KEY_FILE` names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from coordinator.client.errors import Misconfigured

__all__ = ["VARIABLE", "presented_key"]

VARIABLE = "COORDINATOR_KEY"
FILE = f"{VARIABLE}_FILE"

LONGEST = 64 * 1024
"""Characters."""


def presented_key(given: str | None, environment: Mapping[str, str] | None = None) -> str | None:
    """The key, an API key or a JWT; None for none. An empty ``given`` is none, whatever the environment
    has. Raises `Misconfigured`, whose sentence has no part of a key.
    """
    if given is not None:
        return _checked(given, "The key") if given else None
    environment = os.environ if environment is None else environment
    # Empty counts as not set: compose files write NAME=${NAME:-} for what may be left out.
    value = environment.get(VARIABLE, "").strip().strip("'\"")
    path = environment.get(FILE, "").strip().strip("'\"")
    if value and path:
        raise Misconfigured(f"{VARIABLE} and {FILE} are both set: unset one of them")
    if path:
        return _checked(_content(path), FILE)
    return _checked(value, VARIABLE) if value else None


def _content(path: str) -> str:
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1).strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as exc:
        said = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise Misconfigured(f"{FILE} names {path}, which cannot be read: {said}") from None
    if not text or len(text) > LONGEST:
        raise Misconfigured(f"{FILE} names {path}, which does not hold one key")
    return text


def _checked(key: str, name: str) -> str:
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Misconfigured(f"{name} is no key: one is printable ASCII without spaces")
    return key

"""Makes the keys of artifacts in a store, and finds a key in the URI of a reference. Pure.

    <task id>/<attempt>/<random>/<name>      each part of letters, digits, `.`, `_` and `-`

A reference may come from a stranger, with the data of a task: only what lies below the agent's own store has
a key, and no key leads out of it.
"""

from __future__ import annotations

import re

from .._values.printable_text import printable_text
from .artifact_errors import ArtifactStoreRefused

__all__ = ["key_of", "new_key"]

MAX_PART = 100
"""Characters of one part of a key: a file's name has 255 bytes at most."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+", re.ASCII)

_KEY = re.compile(r"(?!\.)[A-Za-z0-9._-]+(/(?!\.)[A-Za-z0-9._-]+)*", re.ASCII)
"""No part begins with a dot: neither `..` nor what is still being written."""


def new_key(task_id: str, attempt: int, *, unique: str, name: str) -> str:
    """A key that no other artifact has; ``unique`` is random, ``name`` may have any characters."""
    return "/".join(
        (
            _part(task_id[:MAX_PART], "task"),
            str(attempt),
            unique,
            _part(name[-MAX_PART:], "artifact"),
        )
    )


def key_of(uri: str, *, store: str) -> str:
    """The key of ``uri`` in the store of that address. Raises `ArtifactStoreRefused` for one outside it."""
    key = uri.removeprefix(f"{store}/")
    if key == uri or not _KEY.fullmatch(key):
        raise ArtifactStoreRefused(
            f"{printable_text(uri, 200)} is not in the store of this agent, {store}: an agent fetches"
            " from its own alone (COORDINATOR_ARTIFACTS)"
        )
    return key


def _part(text: str, otherwise: str) -> str:
    return _UNSAFE.sub("_", text).lstrip(".") or otherwise

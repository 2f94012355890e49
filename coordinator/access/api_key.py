"""Makes API keys, hashes them, and describes one as the ledger has it: never the key itself.

A key is 256 random bits, so that a plain SHA-256 of it tells nothing and a slow hash would protect nothing
more: there is no word to be guessed.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from .roles import Role

__all__ = ["KEY_NAME", "PREFIX", "ApiKey", "digest_of", "is_key", "new_secret"]

PREFIX = "ackey_"
"""Of every key: scanners of repositories, and people, know one by it."""

KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Holds what the ledger knows of one key."""

    name: str
    """What records call its holder by. No other key ever has it."""
    roles: frozenset[Role]
    agent_id: str | None
    created_at: datetime
    expires_at: datetime | None
    """None for one that never does."""
    revoked_at: datetime | None
    rotated_at: datetime | None
    last_used_at: datetime | None
    """To a minute; None where it was never used."""
    digest: str
    """SHA-256 of the key, in hexadecimal digits."""
    previous_digest: str | None
    """Of the key before it was rotated, which counts until then."""
    previous_until: datetime | None


def new_secret() -> str:
    """A key of 256 random bits."""
    return f"{PREFIX}{secrets.token_urlsafe(32)}"


def is_key(text: str) -> bool:
    """Whether ``text`` has the shape of a key."""
    return _KEY.fullmatch(text) is not None


def digest_of(secret: str) -> str:
    """What the ledger keeps of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()

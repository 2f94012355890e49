"""Tells one JSON value from another by a digest that does not depend on how it is written. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["json_digest"]


def json_digest(value: Any) -> str:
    """32 hexadecimal digits: the same whatever the order of the keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]

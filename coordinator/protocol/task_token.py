"""Signs and checks the token that proves an outcome comes from whoever received the task."""

from __future__ import annotations

import hmac
from functools import lru_cache

__all__ = ["task_token", "token_matches"]


def task_token(secret: bytes, task_id: str, generation: int, attempt: int) -> str:
    """An HMAC-SHA256 over (task, generation, attempt), in hexadecimal."""
    text = f"{task_id}\0{generation}\0{attempt}".encode()
    code = _begun(secret).copy()
    code.update(text)
    return code.hexdigest()


def token_matches(secret: bytes, task_id: str, generation: int, attempt: int, token: str) -> bool:
    """Whether ``token`` belongs to this attempt; takes the same time for any wrong one."""
    expected = task_token(secret, task_id, generation, attempt)
    return hmac.compare_digest(expected.encode(), token.encode("utf-8", "replace"))


@lru_cache(maxsize=8)
def _begun(secret: bytes) -> hmac.HMAC:
    """Keyed once: a copy of it costs half as much as a new one."""
    return hmac.new(secret, digestmod="sha256")

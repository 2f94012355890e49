"""Keeps a viewer's API key in a cookie that no script reads, no other site sends, and no disk keeps."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["LONGEST_KEY", "forget_key", "keep_key", "key_of"]

NAME = "coordinator_key"

LONGEST_KEY = 3800
"""Characters: browsers keep no cookie of more than 4096 bytes, with its name and attributes."""


def key_of(request: Request) -> str | None:
    """None where nobody has signed in, or the cookie cannot be a key."""
    key = request.cookies.get(NAME, "")
    good = key.isascii() and key.isprintable() and " " not in key
    return key if key and good else None


def keep_key(response: Response, key: str, *, path: str, secure: bool) -> None:
    """Until the browser is closed; ``path`` is that of the dashboard. ``secure``: over https alone."""
    response.set_cookie(NAME, key, path=path, httponly=True, samesite="strict", secure=secure)


def forget_key(response: Response, *, path: str) -> None:
    response.delete_cookie(NAME, path=path, httponly=True, samesite="strict")

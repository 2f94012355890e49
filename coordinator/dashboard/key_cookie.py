"""Keeps a viewer's API key in a cookie that no script reads, no other site sends, and no disk keeps.

Cookies know no ports, so the port that the browser sees is in the name: of two dashboards on one host,
signing into one does not sign out of the other.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

__all__ = ["LONGEST_KEY", "forget_key", "keep_key", "key_of"]

NAME = "coordinator_key"

LONGEST_KEY = 3800
"""Characters: browsers keep no cookie of more than 4096 bytes, with its name and attributes."""


def key_of(request: Request) -> str | None:
    """None where nobody has signed in, or the cookie cannot be a key."""
    key = request.cookies.get(_name(request), "")
    good = key.isascii() and key.isprintable() and " " not in key
    return key if key and good else None


def keep_key(response: Response, request: Request, key: str, *, path: str) -> None:
    """Until the browser is closed; ``path`` is that of the dashboard. What comes over https is sent over
    nothing else.
    """
    secure = request.url.scheme == "https"
    response.set_cookie(
        _name(request), key, path=path, httponly=True, samesite="strict", secure=secure
    )


def forget_key(response: Response, request: Request, *, path: str) -> None:
    response.delete_cookie(_name(request), path=path, httponly=True, samesite="strict")


def _name(request: Request) -> str:
    port = request.url.port
    return NAME if port is None else f"{NAME}_{port}"

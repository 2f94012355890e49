"""Takes the path off below which a proxy publishes the service, where the proxy has left it on."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["RootPath", "without_root"]


class RootPath:
    """Shows requests to the application as if it were at the root: the routes, the limits and the sentences
    know no other place. A proxy may leave the path on or take it off.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        """``root_path`` begins with a slash and does not end with one."""
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = without_root(scope, self._root)
        await self._app(scope, receive, send)


def without_root(scope: Scope, root_path: str) -> Scope:
    """The request as it is at the root; itself where ``root_path`` is not on it."""
    path: str = scope["path"]
    if path != root_path and not path.startswith(f"{root_path}/"):
        return scope
    raw: bytes = scope["raw_path"]
    return {
        **scope,
        "path": path.removeprefix(root_path) or "/",
        "raw_path": raw.removeprefix(root_path.encode("ascii")) or b"/",
    }

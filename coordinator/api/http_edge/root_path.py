"""Takes the path off below which a proxy publishes the service, where the proxy has left it on."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["RootPath"]


class RootPath:
    """Shows requests to the application as if it were at the root: the routes, the limits and the sentences
    know no other place. A proxy may leave the path on or take it off.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        """``root_path`` begins with a slash and does not end with one."""
        self._app = app
        self._root = root_path
        self._below = f"{root_path}/"
        self._raw = root_path.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path: str = scope["path"]
            if path == self._root or path.startswith(self._below):
                raw: bytes = scope["raw_path"]
                scope = {
                    **scope,
                    "path": path.removeprefix(self._root) or "/",
                    "raw_path": raw.removeprefix(self._raw) or b"/",
                }
        await self._app(scope, receive, send)

"""Hands requests below `/dashboard` to the pages for people, and sends a browser that asks for `/` there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["BrowserPages", "MakesPages"]

PATH = "/dashboard"

MakesPages = Callable[[ASGIApp], ASGIApp]
"""Makes the application that answers below `/dashboard`. Called once, in a thread, with the API that it
calls, which asks for credentials; raises nothing.
"""


class BrowserPages:
    """Stands behind the guard, so that no page elsewhere acts here, and before `Authentication`: a person
    has to reach the page on which they sign in. What the pages ask of the API has a credential or is
    refused. They are made at the first visit: a service that nobody looks at has none of their memory.
    """

    def __init__(self, api: ASGIApp, make: MakesPages, root_path: str) -> None:
        """``root_path`` is the path below which a proxy publishes the service, as browsers see it."""
        self._api = api
        self._make = make
        self._pages: ASGIApp | None = None
        self._making = asyncio.Lock()
        self._overview = f"{root_path}{PATH}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answers = self._api
        if scope["type"] == "http":
            path = scope["path"]
            if path.startswith(PATH) and path[len(PATH) : len(PATH) + 1] in {"", "/"}:
                answers = self._pages or await self._made()
            elif path == "/" and _asks_for_html(scope):
                answers = RedirectResponse(self._overview, 303, headers={"Vary": "Accept"})
        await answers(scope, receive, send)

    async def _made(self) -> ASGIApp:
        async with self._making:
            if self._pages is None:
                self._pages = await asyncio.to_thread(self._make, self._api)
            return self._pages


def _asks_for_html(scope: Scope) -> bool:
    """As browsers do, and no program that takes whatever comes: `*/*` is no wish for a page."""
    if scope["method"] not in {"GET", "HEAD"}:
        return False
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    return any(
        kind.strip().lower().split(b";")[0].strip() == b"text/html" for kind in accepted.split(b",")
    )

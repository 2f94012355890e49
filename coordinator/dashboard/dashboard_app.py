"""Builds the application of the dashboard: its pages, forms, streams and files, all below one path."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .actions import ACTIONS
from .api_access import ReachesApi
from .live_updates import LiveUpdates
from .page_requests import PageRequests
from .page_templates import PageTemplates
from .pages import PAGES
from .sign_in import SignIn
from .viewer import Page

__all__ = ["PATH", "create_dashboard"]

PATH = "/dashboard"
"""Below which it answers."""

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer: nothing from elsewhere is loaded, nothing written into a page runs, no page frames it. A
policy of no referrer at all would have browsers send forms with `Origin: null`, which the guard refuses."""


def create_dashboard(
    api: ReachesApi, *, root_path: str = "", monotonic: Callable[[], float] = time.monotonic
) -> Starlette:
    """The application, which shows what is reached by ``api``. ``root_path`` is the path below which a proxy
    publishes it, where there is one; requests come without it. ``monotonic`` tells seconds, from any start.
    Opens nothing.
    """
    base = f"{root_path}{PATH}"
    requests = PageRequests(api, PageTemplates(base), base, monotonic=monotonic)
    sign_in, live = SignIn(requests, base), LiveUpdates(api)

    async def to_overview(_: Request) -> Response:
        return RedirectResponse(f"{base}/")

    async def outside(request: Request, exc: Exception) -> Response:
        match exc:
            case HTTPException(status_code=404):
                title, status = "Not found", 404
                sentence = f"There is nothing at {request.url.path}: begin at the overview."
            case HTTPException():
                title, status, sentence = "Not possible", exc.status_code, exc.detail
            case _:
                title, status = "Not answered", 500
                sentence = "The dashboard made a mistake, which is in the log of its process."
        values = {"sentence": sentence}
        page = Page(template="problem", title=title, values=values, status=status)
        return requests.rendered(request, page)

    return Starlette(
        routes=[
            Route("/", to_overview),  # asked for where the dashboard runs apart
            Mount(
                PATH,
                routes=[
                    *(Route(path, requests.page(show)) for path, show in PAGES),
                    Route("/sign-in", sign_in.show),
                    Route("/sign-in", sign_in.sign_in, methods=["POST"]),
                    Route("/sign-out", sign_in.sign_out, methods=["POST"]),
                    *(
                        Route(f"/do/{name}", requests.action(act), methods=["POST"])
                        for name, act in ACTIONS.items()
                    ),
                    Route("/live/changes", live.changes),
                    Route("/live/task", live.task),
                    Mount("/static", StaticFiles(packages=[("coordinator.dashboard", "static")])),
                ],
            ),
        ],
        middleware=[Middleware(_KeepsToItself)],
        exception_handlers={HTTPException: outside, Exception: outside},
    )


class _KeepsToItself:
    """Adds `HEADERS`. Pages are kept by no cache; files are asked for anew, and sent where they differ."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cached = "no-cache" if scope["path"].startswith(f"{PATH}/static/") else "no-store"
        added = [
            (name.lower().encode(), value.encode())
            for name, value in {**HEADERS, "Cache-Control": cached}.items()
        ]

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in added}
                kept = [one for one in message.get("headers", ()) if one[0] not in names]
                message = {**message, "headers": [*kept, *added]}
            await send(message)

        await self._app(scope, receive, told)

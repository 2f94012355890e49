"""Answers a page or an action: finds the key, calls the API for it, and makes HTML of errors, too."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from coordinator.client import (
    AnswerLost,
    ApiError,
    Caller,
    ClientError,
    Conflict,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotReached,
    OutcomeUnknown,
    RoleMissing,
    ServerError,
    Unsendable,
)

from .api_access import ReachesApi
from .form_fields import Form, FormRefused, read_form
from .key_cookie import key_of
from .page_templates import PageTemplates
from .pages.untold_things import NO_SUCH_QUESTION
from .viewer import EVERY_ROLE, Page, Viewer, caller_behind

__all__ = ["PART", "Act", "PageRequests", "Show"]

PART = "x-dashboard-part"
"""Header of a request by a script of ours, which wants the middle of the page alone."""

Show = Callable[[Viewer], Awaitable[Page]]
"""Collects what a page shows. Called for each request; may raise what the client raises, or `FormRefused`."""

Act = Callable[[Viewer, Form], Awaitable[str]]
"""Does what a form asks for. Returns a sentence that says what was done; may raise what the client raises,
or `FormRefused`."""

TITLES: Mapping[type[ClientError], str] = {
    RoleMissing: "Not allowed",
    NotFound: "Not found",
    Conflict: "Not possible",
    InvalidRequest: "Not accepted",
    Unsendable: "Not accepted",
    NotReached: "The coordinator does not answer",
}

_NOT_DONE = "Nothing was done"
_IN_DOUBT = (AnswerLost, OutcomeUnknown, ServerError)
"""After these nobody knows: the request was sent, and its answer does not say."""

_NO_SUCH_PATH = "path_not_found"
"""The code of the service where it has nothing at a path."""

_NOBODY = Caller(roles=EVERY_ROLE)


class PageRequests:
    """Makes endpoints of pages and actions."""

    def __init__(
        self,
        api: ReachesApi,
        templates: PageTemplates,
        base: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``base`` is the path of the dashboard, as the browser sees it; ``monotonic`` tells seconds, from
        any start.
        """
        self.api = api
        self._templates = templates
        self._base = base
        self._monotonic = monotonic

    def page(self, show: Show) -> Callable[[Request], Awaitable[Response]]:
        """Answers with what ``show`` collects. `Server-Timing` tells how long that took: by it a browser
        knows how often to look.
        """

        async def answer(request: Request) -> Response:
            began = self._monotonic()
            told = await shown(request)
            took = self._monotonic() - began
            told.headers["Server-Timing"] = f"total;dur={1000 * took:.1f}"
            return told

        async def shown(request: Request) -> Response:
            caller = _NOBODY
            try:
                async with self.api.client(key_of(request), _address(request)) as client:
                    caller = await caller_behind(client)
                    viewer = Viewer(
                        client=client,
                        caller=caller,
                        query=request.query_params,
                        path=request.path_params,
                    )
                    page = await show(viewer)
            except NotAuthenticated:
                return self._to_sign_in(request)
            except ClientError as exc:
                page = _problem(exc, named=bool(request.path_params))
            except FormRefused as exc:
                page = Page(
                    template="problem",
                    title="Not accepted",
                    values={"sentence": str(exc)},
                    status=422,
                )
            return self.rendered(request, page, caller)

        return answer

    def action(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """Does it, and answers with a sentence: a piece of a page for a script, else a page of its own."""

        async def answer(request: Request) -> Response:
            status, title, caller = 200, "Done", _NOBODY
            try:
                form = await read_form(request)
                async with self.api.client(key_of(request), _address(request)) as client:
                    caller = await caller_behind(client)
                    sentence = await act(Viewer(client=client, caller=caller), form)
            except NotAuthenticated:
                return self._to_sign_in(request)
            except ClientError as exc:
                status, sentence = _status(exc), _sentence(exc)
                title = "It may have been done" if isinstance(exc, _IN_DOUBT) else _NOT_DONE
            except FormRefused as exc:
                status, title, sentence = exc.status, _NOT_DONE, str(exc)
            page = Page(
                template="notice",
                title=title,
                values={"sentence": sentence, "bad": status >= 400},
                status=status,
            )
            return self.rendered(request, page, caller)

        return answer

    def rendered(self, request: Request, page: Page, caller: Caller = _NOBODY) -> Response:
        """The page, or its middle where a script asks for that."""
        values: dict[str, Any] = {
            "title": page.title,
            "caller": caller,
            "may": lambda *roles: any(role in caller.roles for role in roles),
            "events": page.events,
            "every": page.every,
            "untold": page.untold,
            "here": request.url.path,
            "query": request.query_params,
            **page.values,
        }
        part = PART in request.headers
        return HTMLResponse(
            self._templates.render(page.template, values, part=part), status_code=page.status
        )

    def _to_sign_in(self, request: Request) -> Response:
        """A script is told, and goes there by itself."""
        where = f"{self._base}/sign-in"
        if PART in request.headers:
            return Response(status_code=401, headers={"X-Dashboard-Location": where})
        return RedirectResponse(where, 303)


def _address(request: Request) -> tuple[str, int] | None:
    return None if request.client is None else (request.client.host, request.client.port)


def _problem(exc: ClientError, *, named: bool) -> Page:
    """``named``: the page is about one thing, which the service may not have; a list it has, or is older."""
    title = next((told for kind, told in TITLES.items() if isinstance(exc, kind)), "Not answered")
    if isinstance(exc, ApiError) and exc.status in NO_SUCH_QUESTION and not named:
        sentence = _older(exc)
    else:
        sentence = _sentence(exc)
    return Page(template="problem", title=title, values={"sentence": sentence}, status=_status(exc))


def _older(exc: ApiError) -> str:
    return f"The service is older than this dashboard: it does not know {exc.request}."


def _sentence(exc: ClientError) -> str:
    """The service's own, where it has answered."""
    if isinstance(exc, NotFound) and exc.code == _NO_SUCH_PATH:
        return _older(exc)
    return exc.detail if isinstance(exc, ApiError) else str(exc)


def _status(exc: ClientError) -> int:
    """The service's own, where it has answered; 502 where it has not, but for what cannot be sent to it."""
    if isinstance(exc, ApiError):
        return exc.status
    return 422 if isinstance(exc, Unsendable) else 502

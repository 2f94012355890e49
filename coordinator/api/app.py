"""Builds the HTTP application: every endpoint at `/x` and at `/v1/x`, behind the middleware."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from coordinator.api.endpoints.lean_submit import LeanSubmit
from coordinator.errors import PathNotFound

from .access_control.authentication import Authentication
from .body_limit import BodyLimit
from .endpoint_services import EndpointServices
from .endpoints import (
    agent_pages,
    agents,
    dead_tasks,
    docs_page,
    health,
    parked_messages,
    queues,
    schedules,
    task_batches,
    task_explanations,
    task_pages,
    task_statistics,
    task_submission,
    tasks,
)
from .endpoints.callbacks import callback_endpoints
from .error_table import answer_error
from .groups import group_endpoints
from .head_requests import HeadRequests
from .http_edge import BrowserPages, EdgeRules, MakesPages, guarded
from .json_answer import NOTE_ERROR, JsonAnswer, NotesError
from .openapi_document import OpenApiDocument
from .path_segments import PathSegments, routed_path
from .streams import event_streams, task_streams
from .streams.websocket_endpoint import PATH as WEBSOCKET
from .streams.websocket_endpoint import add_websocket

__all__ = ["create_app", "route_template"]

VERSIONED = "/v1"

BATCH = "/tasks/submit/batch"
"""Has a limit of its own on its body."""

_ROUTERS = (
    task_submission.router,
    task_statistics.router,
    task_batches.router,
    queues.router,
    task_explanations.router,
    dead_tasks.router,
    tasks.router,
    task_pages.router,
    tasks.lookup,
    group_endpoints.router,
    schedules.router,
    callback_endpoints.router,
    event_streams.router,
    task_streams.router,
    agents.router,
    agent_pages.router,
    parked_messages.router,
    health.router,
    docs_page.router,
)

_TITLE = "Agent Coordinator"

_SUMMARY = "Hands tasks to a fleet of agents over RabbitMQ, and knows how each of them stands."

_ABOUT = """
Producers submit tasks here; agents take them straight from RabbitMQ and report over it; what they
report is what these endpoints answer.

* A task that was answered 200 is on disk at the broker and will be done, or its end is recorded.
* `detail` is a sentence in every error, and `code` a word for programs. 503 means that waiting
  helps: see `Retry-After`.
* Unknown keys of a body are ignored, and named in the answer's `warning`; calls that act on what is
  there already (redrive, cancel, retry, clear, drain, deletions) refuse them, and a query, with a 422.
  `null` is as good as leaving a key out, and `[]` as `{}` where that is meant. Unknown query parameters of
  a `GET` are a 422 wherever there are any, and ignored elsewhere; those of other calls are named in the
  `warning`, too.
* Any request may be answered 400, where it cannot be read or has no `Host`; 421, where that is no name of
  this service; 403, where it would change something and comes from a page of another origin; 431, where its
  head is too large; and 408, where it did not come in time.
* Every path also answers below `/v1`.
"""

_NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""The framework's own spans are of what reaches it: `web_server.traced_application` sees every request. Older
versions know no such option, and ignore it."""

_TAGS = [
    {"name": "Tasks", "description": "Submit work and see how it stands."},
    {
        "name": "Groups",
        "description": "Tasks that belong together: how all of them stand, and their end.",
    },
    {"name": "Queues", "description": "What waits, as the broker tells it, and how to clear it."},
    {"name": "Schedules", "description": "Work that comes again and again."},
    {
        "name": "When things go wrong",
        "description": "Cancel tasks, see which are dead and why, and try them again.",
    },
    {"name": "Callbacks", "description": "What is told to the URLs that submissions name."},
    {"name": "Streams", "description": "What happens, as it happens."},
    {"name": "Agents", "description": "Who is there, what they can do and how they are."},
    {"name": "Parked", "description": "Messages that could not be understood."},
    {"name": "Health", "description": "How the service itself is."},
]


_AT_THE_ROOT = EdgeRules()


def create_app(
    services: EndpointServices,
    rules: EdgeRules = _AT_THE_ROOT,
    pages: MakesPages | None = None,
) -> FastAPI:
    """The application, which answers by ``services`` whom ``rules`` let in. Opens nothing: they have lives
    of their own. ``pages`` makes what answers below `/dashboard`; None where nothing does.
    """
    app = _Application(
        title=_TITLE,
        summary=_SUMMARY,
        description=_ABOUT,
        version=services.version,
        contact={"name": "Agent Coordinator contributors"},
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_tags=_TAGS,
        servers=[
            {"url": rules.root_path or "/", "description": "This service"},
            {"url": f"{rules.root_path}{VERSIONED}", "description": "The same, by version"},
        ],
        routes=_endpoints(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.services = services
    add_websocket(app, services, ("", VERSIONED))
    for prefix in ("", VERSIONED):
        docs_page.mount_assets(app, prefix)
    app.add_exception_handler(HTTPException, _outside_endpoints)
    app.add_exception_handler(Exception, _outside_endpoints)
    app.add_middleware(PathSegments)
    app.add_middleware(
        BodyLimit,
        max_bytes=services.max_body_bytes,
        larger={f"{prefix}{BATCH}": services.max_batch_bytes for prefix in ("", VERSIONED)},
    )
    authenticated: ASGIApp = Authentication(
        LeanSubmit(services, HeadRequests(app.ordinary)),
        authenticator=services.authenticator,
        rates=services.rates,
        audit=services.audit,
    )
    if pages is not None:
        authenticated = BrowserPages(authenticated, pages, rules.root_path)
    app.first = guarded(authenticated, rules)
    app.note_error = services.note_error
    return app


@cache
def _endpoints() -> list[BaseRoute]:
    """The endpoints, at both their places: the same for each application of a process. With its route, the
    framework keeps what an endpoint takes, once it has worked that out for a request.
    """
    both = APIRouter(generate_unique_id_function=_operation_id)
    for router in _ROUTERS:
        both.include_router(router)
    for router in _ROUTERS:
        both.include_router(router, prefix=VERSIONED, include_in_schema=False)
    return both.routes


class _Application(OpenApiDocument):
    """Has the guard, then `Authentication`, then `LeanSubmit`, see a request before anything else looks at
    it.
    """

    first: ASGIApp | None = None
    note_error: NotesError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.note_error is not None:
            scope[NOTE_ERROR] = self.note_error
        await (self.first or self.ordinary)(scope, receive, send)

    async def ordinary(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything, as the framework does it."""
        await super().__call__(scope, receive, send)


async def _outside_endpoints(request: Request, exc: Exception) -> JsonAnswer:
    """Answers errors from before an endpoint is reached: no such path, or not with this method."""
    path = request.scope["path"]
    if isinstance(exc, HTTPException) and exc.status_code == 404:
        exc = PathNotFound(f"Path not found: there is nothing at {path}, see /docs")
    elif isinstance(exc, HTTPException) and exc.status_code == 405:
        allowed = _allowed(request.scope)
        sentence = f"{request.method} is not possible at {path}: use {' or '.join(allowed)}"
        exc = HTTPException(405, sentence, headers={"Allow": ", ".join(allowed)})
    return answer_error(exc, "")


def route_template(scope: Scope) -> str | None:
    """The path of the endpoint that answers a request, as `/tasks/{task_id}`; None where there is none."""
    path = routed_path(scope)
    prefix = VERSIONED if path.startswith(f"{VERSIONED}/") else ""
    method = scope.get("method", "GET")  # a WebSocket has none: it begins as a GET
    method = "GET" if method == "HEAD" else method
    asked = {"type": "http", "method": method, "path": path.removeprefix(prefix)}
    if asked["path"] == WEBSOCKET:
        return prefix + WEBSOCKET
    near: str | None = None
    for router in _ROUTERS:
        for route in router.routes:
            match = route.matches(asked)[0]
            if match is Match.NONE or not isinstance(route, APIRoute):
                continue
            template = prefix + _CONVERTOR.sub("}", route.path)
            if match is Match.FULL:
                return template
            near = near or template  # such a path, with another method
    return near


_CONVERTOR = re.compile(r":[a-z]+\}")
"""What only routing knows of `{task_id:segment}`."""


def _allowed(scope: Scope) -> list[str]:
    """The methods of all routes with this path; the framework tells those of the first."""
    path = scope["path"].removeprefix(VERSIONED)
    asked = {"type": "http", "method": scope["method"], "path": path}
    methods: set[str] = set()
    for router in _ROUTERS:
        for route in router.routes:
            if route.matches(asked)[0] is not Match.NONE:
                methods |= getattr(route, "methods", None) or set()
    if "GET" in methods or not methods:
        methods |= {"GET", "HEAD"}  # what else there is are files
    return sorted(methods)


def _operation_id(route: APIRoute) -> str:
    return route.name

"""Puts the official instrumentation of HTTP servers around the whole application, the quick route included.

A span is named after the method and the template of the route, `GET /tasks/{task_id}`: alike for every task.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.trace import get_current_span
from opentelemetry.util.http import parse_excluded_urls
from starlette.types import ASGIApp, Receive, Scope, Send

from coordinator.api.app import VERSIONED, route_template
from coordinator.api.http_edge.root_path import without_root
from coordinator.protocol.trace_context import TRACEPARENT, TRACESTATE
from coordinator.tracing.span_contexts import context_of_span

__all__ = ["span_of_request", "traced_application"]

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
EXCLUDED = "OTEL_PYTHON_EXCLUDED_URLS"

PROBES = frozenset(
    {"/metrics", "/health", "/health/live", "/health/ready", "/healthz", "/livez", "/readyz"}
)
"""Paths that monitors and orchestrators ask every few seconds."""


def traced_application(app: ASGIApp, root_path: str = "") -> ASGIApp:
    """Each request that ``app`` answers has a span, and what the application submits in it hangs below: also
    what is refused at the edge, for its host, its origin or its missing credential. ``root_path`` is what a
    proxy may have left on, and is not in the names of spans.

    The instrumentation's own default are the attributes of before 2023: unless the environment says
    otherwise, those of today are used. `OTEL_PYTHON_EXCLUDED_URLS` names what has no span; without it those
    are scrapes and probes, which would be most of all traces.
    """
    os.environ.setdefault(OPT_IN, "http")
    traced = OpenTelemetryMiddleware(
        _SubmitsWithinSpan(app),
        excluded_urls=parse_excluded_urls(os.environ.get(EXCLUDED, "")),
        default_span_details=partial(span_of_request, root_path=root_path),
        exclude_spans=["receive", "send"],
    )
    return traced if EXCLUDED in os.environ else _ProbesUntraced(app, traced, root_path)


def span_of_request(scope: Scope, *, root_path: str = "") -> tuple[str, dict[str, Any]]:
    """Its name and attributes, before it is routed; the method alone where there is no such path. A WebSocket
    is the GET that opens it.
    """
    method = scope.get("method", "GET")
    if method not in _METHODS:
        method = "HTTP"
    route = route_template(without_root(scope, root_path) if root_path else scope)
    return (method, {}) if route is None else (f"{method} {route}", {"http.route": route})


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
"""Any client may send any word, and each would be the name of a span."""


class _ProbesUntraced:
    """Answers scrapes of the metrics and probes of the health without a span, and all else with one."""

    def __init__(self, app: ASGIApp, traced: ASGIApp, root_path: str) -> None:
        self._app = app
        self._traced = traced
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._app if self._is_probe(scope) else self._traced
        await asked(scope, receive, send)

    def _is_probe(self, scope: Scope) -> bool:
        if scope["type"] != "http":
            return False
        at_root = without_root(scope, self._root_path) if self._root_path else scope
        path: str = at_root["path"]
        return path.removeprefix(VERSIONED) in PROBES


class _SubmitsWithinSpan:
    """Shows the application the server's span as if the caller had sent it: a task carries that on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trace = context_of_span(get_current_span()) if scope["type"] == "http" else None
        if trace is not None:
            told = [(name.encode(), value.encode()) for name, value in trace.headers().items()]
            others = [one for one in scope["headers"] if one[0] not in _REPLACED]
            scope = {**scope, "headers": [*others, *told]}
        await self._app(scope, receive, send)


_REPLACED = (TRACEPARENT.encode(), TRACESTATE.encode())

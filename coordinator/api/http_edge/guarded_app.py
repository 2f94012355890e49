"""Puts the guard around the application, with CORS for the origins that an operator has named."""

from __future__ import annotations

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from .edge_rules import EdgeRules
from .request_guard import RequestGuard
from .root_path import RootPath

__all__ = ["guarded"]

PREFLIGHT_SECONDS = 600
"""For which a browser need not ask again whether a page may act."""

EXPOSED = (
    "Idempotency-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
)
"""Headers of answers that a page of a named origin may read, beside the usual ones."""


def guarded(app: ASGIApp, rules: EdgeRules) -> ASGIApp:
    """``app`` behind the rules; where they name no origins there is no CORS at all."""
    if rules.root_path:
        app = RootPath(app, rules.root_path)
    if rules.origins:
        app = CORSMiddleware(
            app,
            allow_origins=rules.origins,
            allow_methods=("*",),
            allow_headers=("*",),
            expose_headers=EXPOSED,
            max_age=PREFLIGHT_SECONDS,
        )
    return RequestGuard(app, rules)

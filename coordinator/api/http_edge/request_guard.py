"""Refuses requests to hosts that this service is not (421) or that are none (400), and from pages elsewhere
that would act (403).

Whoever runs the service on loopback has a browser on the same machine, and any page in it can send
requests there. The page cannot read the answers, but it needs none to clear a queue. Browsers say where a
request comes from, in `Sec-Fetch-Site` and in `Origin`; programs that are no browsers send neither, and are
not asked.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from coordinator.api.error_table import answer_error
from coordinator.api.plain_requests import SINGLE_HEADERS

from .edge_rules import EdgeRules
from .known_hosts import Arrival, KnownHosts, is_host

__all__ = ["RequestGuard"]

GUARDED = frozenset({"http", "websocket"})
"""Types of connections, as ASGI names them; the third is the start of the server."""

DENIAL = "websocket.http.response"
"""What a server says that can refuse a handshake with an answer, status and body; others say 403 alone."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110); a question whether one may act is told by its header."""

OWN = frozenset({b"same-origin", b"none"})
"""`Sec-Fetch-Site` of a page of this service, and of what a person typed. `same-site` is not among them:
another port of localhost is of the same site, and another program."""

_TWO_HOSTS = "The request has more than one header Host: send one"

_NO_HOST = "The request has no header Host, which HTTP/1.1 asks for: send one"

_NOT_A_HOST = (
    "The header Host has {}, which is no name or address, with or without a port: correct it"
)

_UNKNOWN_HOST = (
    "This service is not called {}: use localhost, 127.0.0.1 or its own address, or have its operator add"
    " the name to COORDINATOR_ALLOWED_HOSTS"
)

_ELSEWHERE = (
    "Nothing was done, because the request comes from a page of another origin ({}), which may not act here:"
    " have the operator add that origin to COORDINATOR_CORS_ORIGINS if it is to"
)


class RequestGuard:
    """Answers what it refuses, and hands all else to the application as it is. It comes before the routes,
    before credentials and before every short cut.
    """

    def __init__(self, app: ASGIApp, rules: EdgeRules) -> None:
        self._app = app
        self._hosts = KnownHosts(rules.hosts)
        self._origins = frozenset(origin.encode("latin-1") for origin in rules.origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in GUARDED else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket" and DENIAL not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.detail[:120]})
        else:
            await answer_error(refusal, "")(scope, receive, send)

    def _refusal(self, scope: Scope) -> HTTPException | None:
        headers = dict(scope["headers"])
        if (
            (headers.get(b"host"), scope["server"]) in self._hosts.remembered
            and b"origin" not in headers
            and b"sec-fetch-site" not in headers
            and len(headers) == len(scope["headers"])
        ):
            # `Host` alone, once, and one that is known: the usual case, and the cheapest.
            scope[SINGLE_HEADERS] = headers
            return None
        hosts, origins, sites, asked = (
            [value for name, value in scope["headers"] if name == wanted]
            for wanted in (b"host", b"origin", b"sec-fetch-site", b"access-control-request-method")
        )
        if misdirected := self._misdirected(hosts, scope):
            return misdirected
        # A WebSocket is a GET by which a page elsewhere reads what it is told: browsers ask no leave for it.
        if scope["type"] == "http" and scope["method"] in SAFE and not (asked and origins):
            return None
        elsewhere = self._elsewhere(hosts, origins, sites)
        return HTTPException(403, _ELSEWHERE.format(elsewhere)) if elsewhere else None

    def _misdirected(self, hosts: list[bytes], scope: Scope) -> HTTPException | None:
        """The standard (RFC 9112, 3.2) asks for one host, and one that there may be; HTTP/1.0 knows none."""
        if not hosts:
            has_to = scope.get("http_version", "1.1") != "1.0"
            return HTTPException(400, _NO_HOST) if has_to else None
        if len(hosts) > 1:
            return HTTPException(400, _TWO_HOSTS)
        arrival: Arrival = scope["server"]
        if self._hosts.knows(hosts[0], arrival):
            return None
        if not is_host(hosts[0]):
            return HTTPException(400, _NOT_A_HOST.format(_shown(hosts[0])))
        return HTTPException(421, _UNKNOWN_HOST.format(_shown(hosts[0])))

    def _elsewhere(self, hosts: list[bytes], origins: list[bytes], sites: list[bytes]) -> str:
        """Where a request comes from that does not come from here; empty for one that does."""
        if origins and self._origins.issuperset(origins):
            return ""
        own = hosts[0].strip().lower() if hosts else None
        for origin in origins:
            if _authority(origin) != own:
                return f"Origin: {_shown(origin)}"
        for site in sites:
            if site not in OWN:
                return f"Sec-Fetch-Site: {_shown(site)}"
        return ""


def _authority(origin: bytes) -> bytes:
    """Host and port. Browsers leave a port out that is the usual one, in `Host` as in `Origin`."""
    return origin.strip().lower().partition(b"://")[2]


def _shown(value: bytes) -> str:
    return value.decode("latin-1")[:200]

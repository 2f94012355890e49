"""Makes what both clients of httpx are made with, and the request of httpx that a request of ours is."""

from __future__ import annotations

from typing import Any

import httpx

from coordinator import DISTRIBUTION, __version__
from coordinator.client.exchange.http_messages import ApiAnswer, ApiRequest

from .client_options import ClientOptions

__all__ = [
    "CLOSED",
    "NOT_PICKLED",
    "answer_of",
    "bear_silence",
    "connection_options",
    "request_options",
]

CONNECTIONS = 100
"""At once, streams among them; what more is asked for waits for one."""

CONNECT = 10.0
"""Seconds for a connection, and for TLS on it."""

CLOSED = "The client was closed: make a new one"

NOT_PICKLED = (
    "A client, and a handle with it, has connections, and can be neither pickled nor copied: hand on the"
    " task_id, and make a handle of it there with `Client.handle`"
)


def connection_options(options: ClientOptions) -> dict[str, Any]:
    """The key goes to this address alone: redirects are not followed, and neither proxies nor credentials are
    taken from the environment. A proxy would be asked for this machine's own loopback address, too.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": f"{DISTRIBUTION}/{__version__}"}
    if options.key is not None:
        headers["Authorization"] = f"Bearer {options.key}"
    return {
        "headers": headers,
        "verify": options.tls.context() if options.base_url.startswith("https") else True,
        "follow_redirects": False,
        "trust_env": False,
        "limits": httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=20),
    }


def request_options(request: ApiRequest, base_url: str, *, within: float) -> dict[str, Any]:
    """For `stream` of httpx. ``within`` are the seconds for each step, and without a byte of the answer."""
    headers = {"Accept": "application/json", **request.headers}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    return {
        "method": request.method,
        "url": f"{base_url}{request.path}",
        "headers": headers,
        "content": request.body,
        "timeout": httpx.Timeout(within, connect=min(CONNECT, within)),
    }


def bear_silence(response: httpx.Response, seconds: float) -> None:
    """From the head of the answer on: so long may pass without a byte."""
    response.request.extensions["timeout"]["read"] = seconds


def answer_of(response: httpx.Response, body: bytes) -> ApiAnswer:
    """What came back; ``body`` was read of it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return ApiAnswer(status=response.status_code, headers=headers, body=body)

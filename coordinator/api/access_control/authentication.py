"""Finds the caller of each request before anything else looks at it; answers 401 and 429 by itself.

It stands before the lean submissions, too. A credential that is known costs a hash and a look into a
dictionary.
"""

from __future__ import annotations

import time
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coordinator.access.audit_log import AuditLog
from coordinator.access.authenticator import Authenticator
from coordinator.access.presented_credential import (
    plain_key,
    presented_credential,
    takes_query_token,
)
from coordinator.access.principal import Principal
from coordinator.access.request_rates import RateState, RequestRates
from coordinator.api.error_table import answer_error
from coordinator.api.plain_requests import SINGLE_HEADERS
from coordinator.errors import (
    CoordinatorError,
    LedgerUnavailable,
    NotAuthenticated,
    TooManyRequests,
)

from .caller import CALLER, STILL_COUNTS, address_of
from .endpoint_roles import OPEN_FOLDER, OPEN_PATHS

__all__ = ["Authentication", "spender"]

VERSIONED = "/v1"

MOST_REFUSALS = 20
"""Lines of the audit log in a second about requests that were refused here."""


class Authentication:
    """Asks the ``authenticator`` for the caller; None where authentication is off. ``rates`` is None
    where there is no limit, ``audit`` where no log is kept.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticator: Authenticator | None,
        rates: RequestRates | None = None,
        audit: AuditLog | None = None,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._rates = rates
        self._audit = audit
        self._second, self._refused = 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            is_open = _is_open(scope["path"])
            if self._authenticator is not None and not is_open:
                scope[CALLER] = self._at_once(scope, self._authenticator) or await self._caller(
                    scope, self._authenticator
                )
            if self._rates is not None and not is_open:
                send = _told(send, self._rates, spender(scope))
                self._rates.spend(spender(scope))
        except CoordinatorError as exc:
            refusal = self._refusal(scope, exc)
            self._note_refusal(scope, refusal)
            await _refuse(refusal, scope, receive, send)
            return
        except Exception as exc:  # noqa: BLE001 - answered like one of an endpoint, and logged
            await _refuse(exc, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _at_once(self, scope: Scope, authenticator: Authenticator) -> Principal | None:
        """The holder of a key that is alone, and stands where it usually does."""
        headers = scope.get(SINGLE_HEADERS)
        key = None if headers is None else plain_key(headers)
        if key is None or (scope["query_string"] and _takes_query_token(scope)):
            return None
        return authenticator.known_key(key)

    async def _caller(self, scope: Scope, authenticator: Authenticator) -> Principal:
        stream = _takes_query_token(scope)
        query = scope["query_string"] if stream else None
        credential = presented_credential(scope["headers"], query)
        if credential is None:
            raise NotAuthenticated
        if stream:
            scope[STILL_COUNTS] = partial(_still_counts, authenticator, credential)
        return authenticator.known(credential) or await authenticator.found(credential)

    def _refusal(self, scope: Scope, exc: CoordinatorError) -> CoordinatorError:
        """Who has no credential that counts is counted by address, and told of it beyond the limit."""
        if self._rates is not None and isinstance(exc, NotAuthenticated):
            try:
                self._rates.spend(spender(scope))
            except TooManyRequests as more:
                return more
        return exc

    def _note_refusal(self, scope: Scope, exc: CoordinatorError) -> None:
        """Of a flood some lines a second, and how many there were not."""
        if self._audit is None or not isinstance(exc, NotAuthenticated | TooManyRequests):
            return
        second, left_out = int(time.monotonic()), None
        if second != self._second:
            left_out = max(0, self._refused - MOST_REFUSALS) or None
            self._second, self._refused = second, 0
        self._refused += 1
        if self._refused <= MOST_REFUSALS:
            caller: Principal | None = scope.get(CALLER)
            facts = {"method": scope.get("method"), "path": scope["path"][:200], "why": str(exc)}
            if left_out is not None:
                facts["left_out"] = left_out
            self._audit.note(
                "refused",
                actor=None if caller is None else caller.actor,
                address=address_of(scope),
                status=429 if isinstance(exc, TooManyRequests) else 401,
                facts=facts,
            )


async def _still_counts(authenticator: Authenticator, credential: str) -> bool:
    try:
        return bool(authenticator.known(credential) or await authenticator.found(credential))
    except NotAuthenticated:
        return False
    except LedgerUnavailable:
        return True  # without which nothing comes over a stream either


def spender(scope: Scope) -> str:
    """Whose requests are counted together: those of a credential, or of an address."""
    caller: Principal | None = scope.get(CALLER)
    if caller is not None and caller.actor is not None:
        return caller.actor
    return f"address:{address_of(scope)}"


def _takes_query_token(scope: Scope) -> bool:
    return takes_query_token(scope["type"], scope["path"].removeprefix(VERSIONED))


def _is_open(path: str) -> bool:
    if path.startswith(f"{VERSIONED}/"):
        path = path.removeprefix(VERSIONED)
    return path in OPEN_PATHS or (path.startswith(OPEN_FOLDER) and ".." not in path)


async def _refuse(exc: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    await answer_error(exc, "")(scope, receive, send)


def _told(send: Send, rates: RequestRates, who: str) -> Send:
    """Adds what is left to the head of the answer."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *_rate_headers(rates.state(who))]
            message = {**message, "headers": headers}
        await send(message)

    return told


def _rate_headers(state: RateState) -> list[tuple[bytes, bytes]]:
    """As draft-ietf-httpapi-ratelimit-headers-10 writes them."""
    return [
        (b"ratelimit-policy", b'"default";q=%d;w=%d' % (state.quota, state.window)),
        (b"ratelimit", b'"default";r=%d;t=%d' % (state.remaining, state.reset)),
    ]

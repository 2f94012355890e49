"""Reads the request of every endpoint as strict JSON, and answers its errors."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .access_control.audited_answers import audit_answer
from .access_control.caller import caller_of
from .access_control.endpoint_roles import ROLES, check_role
from .error_table import answer_error
from .unknown_query_parameters import check_query_parameters, query_parameters

__all__ = ["EndpointRoute"]

_GONE = "Nothing was done: the client was gone before its request had come"


class StrictJsonRequest(Request):
    """Reads JSON as RFC 8259 has it: no `NaN`, no halves of surrogate pairs, no endless nesting.

    Python's own reader lets all of these through to places where they cannot be written again.
    """

    _read: tuple[Any] | None = None

    @property
    def read(self) -> Any:
        """The JSON of its body, None where nobody has asked for it, or there is none."""
        return None if self._read is None else self._read[0]

    async def json(self) -> Any:
        """The body as JSON. Raises `json.JSONDecodeError` with the reason, as the framework does."""
        if self._read is None:
            body = await self.body()
            try:
                self._read = (from_json(body, allow_inf_nan=False),)
            except ValueError as exc:
                raise json.JSONDecodeError(_encoding(body) or str(exc), "", 0) from exc
        return self._read[0]


def _encoding(body: bytes) -> str | None:
    """What is wrong with bytes that are not plain UTF-8, as JSON between systems has to be."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]:
        return "it is in UTF-16 or UTF-32; send it in UTF-8"
    if body.startswith(codecs.BOM_UTF8):
        return "it begins with a byte order mark; send UTF-8 without one"
    return None


class EndpointRoute(APIRoute):
    """Answers the errors of an endpoint, expected or not, by `error_table`, under its name; lets in who
    has the role that it needs, and has what acts written to the audit log.

    A route of a GET that knows query parameters refuses others.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        acts = ROLES[self.name].acts  # one that is not in the table ends the start of the service
        known = query_parameters(self.dependant) if "GET" in (self.methods or ()) else {}

        async def answer(request: Request) -> Response:
            caller = caller_of(request.scope)
            strict = StrictJsonRequest(request.scope, request.receive)
            try:
                check_role(self.name, caller)
                if known:
                    names = (name for name, _ in request.query_params.multi_items())
                    check_query_parameters(names, known)
                done = await handle(strict)
            except ClientDisconnect:
                done = answer_error(HTTPException(400, _GONE), self.name)
            except Exception as exc:  # noqa: BLE001 - answered, and logged where nobody expected it
                done = answer_error(exc, self.name)
            if acts or done.status_code == 403:
                audit_answer(self.name, request, done, strict.read)
            return done

        return answer

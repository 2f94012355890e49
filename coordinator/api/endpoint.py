"""How every endpoint reads its request and answers its errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json

from .error_table import answer_error

__all__ = ["Endpoint"]


class StrictRequest(Request):
    """Reads JSON as the RFC has it: no `NaN`, no halves of surrogate pairs, no endless nesting,
    all of which Python's own reader lets through to places where they cannot be written again.
    """

    async def json(self) -> Any:
        body = await self.body()
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError as exc:
            raise json.JSONDecodeError(str(exc), "", 0) from exc


class Endpoint(APIRoute):
    """A route whose errors, expected or not, become answers by `error_table`, under its name."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(StrictRequest(request.scope, request.receive))
            except Exception as exc:  # noqa: BLE001 - answered, and logged where nobody expected it
                return answer_error(exc, self.name)

        return answer

"""Answers a request with an Idempotency-Key once, and its repetitions the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header, Request

from coordinator.access.principal import Principal
from coordinator.api.access_control.caller import caller_of
from coordinator.api.wire.fields.text_patterns import IdempotencyWord
from coordinator.domain.idempotency_claim import IdempotencyClaim
from coordinator.errors import InvalidRequest
from coordinator.protocol.id_limits import printable
from coordinator.submission.idempotent_submission import Worked

from .endpoint_services import EndpointServices
from .json_answer import JsonAnswer

__all__ = ["REPLAYED", "IdempotencyKey", "once"]

REPLAYED = "Idempotency-Replayed"
"""The header of an answer that was given before."""

MAX_KEY = 255

IdempotencyKey = Annotated[
    IdempotencyWord | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 printable characters of your own: repeating the request with the same"
        " key is safe, and answered the same.",
    ),
]


async def once(
    key: str,
    request: Request,
    wired: EndpointServices,
    *,
    operation: str,
    work: Callable[[IdempotencyClaim], Awaitable[Worked]],
) -> JsonAnswer:
    """JsonAnswer with what ``work`` gives, or what it gave before. ``operation`` names the endpoint, so
    that a key of one is not taken for a key of another. Raises what `SubmitsOnce.run` does, and
    `InvalidRequest` for a key that is too long or not printable.
    """
    if not (1 <= len(key) <= MAX_KEY and printable(key)) or key.isspace():
        raise InvalidRequest(
            f"Idempotency-Key must have 1 to {MAX_KEY} printable characters",
            field="Idempotency-Key",
        )
    fingerprint = _fingerprint(operation, await request.json() if await request.body() else None)
    found = await wired.once.run(_of_caller(key, caller_of(request.scope)), fingerprint, work)
    return JsonAnswer(found.body, headers={REPLAYED: "true"} if found.replayed else {})


def _of_caller(key: str, caller: Principal) -> str:
    """Each caller has keys of its own: nobody is answered what another was."""
    if caller.actor is None:
        return key
    return hashlib.sha256(f"{caller.actor}\n{key}".encode()).hexdigest()


def _fingerprint(operation: str, body: Any) -> str:
    """The same for the same JSON, whatever its spaces and the order of its keys."""
    text = json.dumps([operation, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

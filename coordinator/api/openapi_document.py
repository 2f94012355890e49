"""Writes the OpenAPI document: the answers and errors of each endpoint, and nothing that cannot happen."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.models import Schema
from pydantic.json_schema import models_json_schema

from coordinator.api.wire.callbacks.callback_operation import CALLBACK_PLACES, callback_operation
from coordinator.api.wire.callbacks.delivery_shapes import CallbackEvent
from coordinator.api.wire.errors import Error
from coordinator.api.wire.fields.answer_fields import AnswerModel
from coordinator.errors import (
    BrokerUnavailable,
    LedgerUnavailable,
    NotAuthenticated,
    TooManyRequests,
)

from .access_control.endpoint_roles import OPEN_PATHS, ROLES, Need
from .error_bodies import error_shape
from .error_table import DISTRIBUTING, NO_DISTRIBUTOR, UNEXPECTED

__all__ = [
    "NOT_TAKEN",
    "OpenApiDocument",
    "Responses",
    "error",
    "error_example",
    "responses",
    "stream_responses",
    "success",
]

Responses = dict[int | str, dict[str, Any]]

_DESCRIPTIONS = {
    400: "Invalid priority",
    404: "Not found",
    406: "The answer is a stream of server-sent events, and `Accept` does not take that",
    409: "Not possible as things stand",
    413: "The body is too large, for the service or for the broker",
    422: "A value is not valid",
    500: "Something unexpected happened",
    503: "Not available right now: the broker (or the database) is away",
}

_WRONG_FIELDS = {
    "submit_task": ("task_data", "task_data is required"),
    "submit_batch": ("tasks", "tasks is required"),
    "update_agent_status": ("status", "status is required"),
    "discover_agents": ("capabilities", "capabilities: input should be a valid list"),
    "cancel_task": ("reason", "reason: input should be a valid string"),
    "answer_task": ("answer", 'answer must be one of ["yes","no"]'),
    "retry_task": ("delay_seconds", "delay_seconds: input should be a valid number"),
    "get_dead_tasks": ("cursor", "cursor must be the next_cursor of an answer"),
    "redrive_dead_tasks": ("limit", "limit: input should be less than or equal to 10000"),
    "list_tasks": ("colour", "colour: there is no such filter here: use agent, agent_type, …"),
    "list_agents": ("limit", "limit: input should be less than or equal to 200"),
    "list_agent_tasks": ("limit", "limit: input should be less than or equal to 200"),
    "list_task_events": ("limit", "limit: input should be less than or equal to 200"),
    "wait_for_group": ("timeout", "timeout: input should be less than or equal to 60"),
    "cancel_group": ("reason", "reason: input should be a valid string"),
    "wait_for_task": ("timeout", "timeout: input should be less than or equal to 60"),
    "stream_events": ("after", "after: input should be greater than or equal to 0"),
    "stream_task": ("after", "after: input should be greater than or equal to 0"),
    "create_schedule": ("cron", "cron '* * *' has 3 fields: write five, or six with seconds first"),
    "edit_schedule": ("cron", "cron '* * *' has 3 fields: write five, or six with seconds first"),
    "list_callbacks": ("limit", "limit: input should be less than or equal to 200"),
    "redrive_callbacks": (
        "body",
        (
            "Nothing was done, because these keys are unknown: 'hosts' (did you mean 'host'?); there are:"
            " task_id, host, dry_run"
        ),
    ),
    "list_parked": ("limit", "limit: input should be less than or equal to 200"),
    "agent_heartbeat": ("status", "status: input should be a valid string"),
    **dict.fromkeys(
        (
            *("clear_queue", "retire_lane", "drain_agent", "remove_agent", "delete_task"),
            *("pause_schedule", "resume_schedule", "run_schedule", "delete_schedule"),
        ),
        ("body", "Nothing was done, because these keys are unknown: 'dry_run'"),
    ),
}
"""By endpoint: what a 422 may say; that of the others is about the agent's id."""


_NOUNS = {
    "agent": "Agent",
    "task": "Task",
    "schedule": "Schedule",
    "lane": "Lane",
    "group": "Group",
    "parked": "Parked message",
}


def _noun(endpoint: str) -> str:
    """The noun of what an endpoint looks up."""
    words = endpoint.split("_")
    return next((noun for word, noun in _NOUNS.items() if word in words[1:]), "Agent")


_OF_THE_LEDGER = frozenset(
    {
        *("get_task", "get_dead_tasks", "list_tasks", "list_agent_tasks"),
        *("list_parked", "get_parked", "stream_events", "list_callbacks", "redrive_callbacks"),
    }
)
"""The endpoints that need the database and no broker."""


NOT_TAKEN = "The answer is a stream, and `Accept` does not take it: send `Accept: text/event-stream`, or none"

_CONFLICTS = {
    "submit_task": "The task_id 'a1' was used before, for another task: choose a new one",
    "submit_batch": "This Idempotency-Key was used before, for another request: choose a new one",
    "create_schedule": "A schedule 'nightly' exists: delete it first, or choose another id",
    "resume_schedule": "It cannot go on: timezone 'Mars/Olympus' is not known: write a name such as"
    " 'Europe/Vienna', or 'UTC'. Delete it, and make it anew",
    "edit_schedule": "A tick of it is being submitted now, so when it is due cannot be changed:"
    " repeat it in a moment",
    "run_schedule": "This Idempotency-Key was used before, for another request: choose a new one",
    "delete_task": "The task is running: cancel it before you delete it",
    "retire_lane": "The lane 'any' is open to all tasks, and stays",
    "cancel_task": "The task is completed already: there is nothing to cancel",
    "answer_task": "The task is running: it asks nothing",
    "retry_task": "The task is queued: only one that is dead, expired, cancelled can be tried again",
}
"""By endpoint: what a 409 may say."""


def _conflict_code(endpoint: str) -> str:
    return "conflict" if endpoint.startswith(("submit_", "create_")) else "wrong_state"


_REFERENCE = "#/components/schemas/{model}"

_described: dict[str, type[AnswerModel]] = {}
"""Every answer that some endpoint has, by name."""


def responses(endpoint: str, answer: type[AnswerModel], *statuses: int) -> Responses:
    """``answer``, and the errors of ``endpoint`` with these statuses and with 500.

    The framework would make a validator of each answer of each endpoint when it is imported, and
    none is ever used: an endpoint's own answer is sent as it is. So it is told of their names alone.
    """
    return success(answer) | _errors(endpoint, *statuses)


def stream_responses(endpoint: str, *statuses: int) -> Responses:
    """A stream of server-sent events, and the errors of ``endpoint`` before it begins."""
    stream = {"text/event-stream": {"schema": {"type": "string"}}}
    found: Responses = {200: {"description": "Events, as they happen", "content": stream}}
    return found | _errors(endpoint, *statuses)


def _errors(endpoint: str, *statuses: int) -> Responses:
    examples = _examples(endpoint)
    return {status: error(_DESCRIPTIONS[status], examples[status]) for status in (*statuses, 500)}


def success(answer: type[AnswerModel]) -> Responses:
    """``answer`` as the 200 of an endpoint, for its `responses`."""
    return {200: {"content": {"application/json": {"schema": _reference(answer)}}}}


def error(description: str, example: dict[str, Any]) -> dict[str, Any]:
    """An error as one of the `responses` of an endpoint, with ``example`` as its body."""
    content = {"application/json": {"schema": _reference(Error), "example": example}}
    return {"description": description, "content": content}


def error_example(detail: str, code: str, **more: Any) -> dict[str, Any]:
    """The body of an error in the document, where all are of one moment."""
    return error_shape(detail, code) | {"timestamp": "2026-01-31T12:00:00.123456+00:00"} | more


def _reference(answer: type[AnswerModel]) -> dict[str, str]:
    if _described.setdefault(answer.__name__, answer) is not answer:
        raise TypeError(f"two answers are named {answer.__name__}")
    return {"$ref": _REFERENCE.format(model=answer.__name__)}


def _schemas() -> dict[str, Any]:
    """Of all answers, and of what is in them; written as the framework writes its own."""
    wanted: list[tuple[type[AnswerModel], Literal["serialization"]]]
    wanted = [(answer, "serialization") for answer in _described.values()]
    found = models_json_schema(wanted, ref_template=_REFERENCE)[1]["$defs"]
    return {
        name: Schema(**schema).model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, schema in found.items()
    }


def _examples(endpoint: str) -> dict[int, dict[str, Any]]:
    missing = f"{_noun(endpoint)} not found"
    field, message = _WRONG_FIELDS.get(endpoint, ("agent_id", "agent_id is required"))
    away = error_example(str(BrokerUnavailable()), "broker_unavailable")
    if endpoint in _OF_THE_LEDGER:
        away = error_example(str(LedgerUnavailable()), "ledger_unavailable")
    elif endpoint in DISTRIBUTING:
        away = error_example(NO_DISTRIBUTOR, "broker_unavailable", reason=str(BrokerUnavailable()))
    return {
        400: error_example("Invalid priority: soon", "invalid_priority"),
        404: error_example(missing, f"{_noun(endpoint).split()[0].lower()}_not_found"),
        406: error_example(NOT_TAKEN, "not_acceptable"),
        409: error_example(_CONFLICTS.get(endpoint, ""), _conflict_code(endpoint)),
        413: error_example("The request body is larger than 1048576 bytes", "payload_too_large"),
        422: error_example(
            message, "invalid_request", errors=[{"field": field, "message": message}]
        ),
        500: error_example(f"{UNEXPECTED[endpoint]}: {{error message}}", "internal_error"),
        503: away,
    }


class OpenApiDocument(FastAPI):
    """Leaves out of the document the 422 that FastAPI adds to every path with an id in it.

    Any id is valid there, and what is unknown is a 404.
    """

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    if _added(operation["responses"].get("422")):
                        del operation["responses"]["422"]
            _add_callbacks(document)
            schemas = document["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            document["components"]["schemas"] = dict(sorted((schemas | _schemas()).items()))
            _secure(document, required=self.state.services.authenticator is not None)
            for path in document["paths"].values():
                for operation in path.values():
                    _never_null(operation.get("requestBody"))
                    _without_defaults(operation.get("requestBody"), schemas)
        return super().openapi()


def _add_callbacks(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            place = CALLBACK_PLACES.get(operation["operationId"])
            if place is not None:
                told = callback_operation(_reference(CallbackEvent))
                operation["callbacks"] = {"told": {place: told}}


_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or a JWT where the service takes some.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

_REFUSALS = {
    "401": error(
        "No credential, where the service asks for one, or one that does not count",
        error_example(str(NotAuthenticated()), "not_authenticated"),
    ),
    "403": error(
        "The credential does not have the role",
        error_example(
            "This needs the role operator, which key:reports does not have", "role_missing"
        ),
    ),
    "429": error(
        "More than the caller may send or have: see `Retry-After`",
        error_example(str(TooManyRequests()), "too_many_requests"),
    ),
}


def _secure(document: dict[str, Any], *, required: bool) -> None:
    """Every operation needs a credential, but those whose paths are open; which role it needs is told in
    words. Where none is ``required``, the empty requirement comes first.
    """
    document["components"]["securitySchemes"] = _SCHEMES
    nothing: list[dict[str, Any]] = [] if required else [{}]
    document["security"] = [*nothing, *({name: []} for name in _SCHEMES)]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path in OPEN_PATHS:
                operation["security"] = []
                continue
            operation["responses"] |= _REFUSALS
            words = _role_words(ROLES[operation["operationId"]])
            told = operation.get("description", "").strip()
            operation["description"] = f"{told}\n\n{words}".strip()


def _role_words(need: Need) -> str:
    if need.role is None:
        return "Role: any."
    own = "" if need.own is None else f", or `{need.own}` for what is its own"
    return f"Role: `{need.role}`{own}."


def _never_null(body: dict[str, Any] | None) -> None:
    """Of a body that may be left out: makers of clients take one that may be null for one that is always
    there, and ask for a union without a name. A null is taken all the same.
    """
    if body is not None:
        content = body["content"]["application/json"]
        kinds = [one for one in content["schema"].get("anyOf", ()) if one != {"type": "null"}]
        if len(kinds) == 1:
            (content["schema"],) = kinds


def _without_defaults(part: Any, schemas: dict[str, Any]) -> None:
    """Of what a request may leave out: makers of clients take a key with a default for one that is always
    there, and would ask for it. The default is told in words.
    """
    if isinstance(part, list):
        for one in part:
            _without_defaults(one, schemas)
    if not isinstance(part, dict):
        return
    name = str(part.get("$ref", "")).removeprefix(_REFERENCE.format(model=""))
    _without_defaults(schemas.get(name), schemas)
    default = part.get("default")
    if isinstance(default, str | int | float):
        del part["default"]
        part["description"] = f"{part.get('description', '')} By default `{default}`.".strip()
    for one in part.values():
        _without_defaults(one, schemas)


def _added(response: Any) -> bool:
    return response is not None and "HTTPValidationError" in str(response)

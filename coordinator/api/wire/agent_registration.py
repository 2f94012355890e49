"""Reads and checks the body of a registration over HTTP, and describes its answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from coordinator.api.wire.fields.answer_fields import AgentId, AnswerModel, Instant, Success
from coordinator.api.wire.fields.text_patterns import AgentIdWord, Names, Urls, Word
from coordinator.domain.agent_statuses import AGENT_TYPES
from coordinator.errors import InvalidRequest
from coordinator.protocol.id_limits import AGENT_WORDS, check_id, check_path_id
from coordinator.protocol.messages.registration import RegisterRequest
from coordinator.submission.request_limits import RequestLimits, check_data, check_names

from .fields.body_configs import ignoring_unknown_keys
from .fields.lenient_json import LIST, NO_BOOLEAN, OBJECT, WITHOUT_NULLS

__all__ = ["MAX_ENDPOINT", "RegisterAgent", "Registered", "check_registration", "register_request"]


class RegisterAgent(BaseModel):
    """An agent makes itself known, or says anew what it can do."""

    model_config = ignoring_unknown_keys(
        agent_id="hermes-agent",
        agent_type="worker",
        capabilities=["data-processing", "analysis"],
        services=["task-execution"],
        endpoints={"http": "http://localhost:9002"},
        metadata={"version": "1.0.0"},
    )

    agent_id: AgentIdWord = Field(description="1 to 128 printable characters, chosen by the agent.")
    agent_type: Word = Field(
        description=f"One of: {', '.join(AGENT_TYPES)}; operators can add more."
    )
    capabilities: Annotated[Names | None, LIST] = Field(default=None, description="What it can do.")
    services: Annotated[Names | None, LIST] = Field(default=None, description="What it offers.")
    task_types: Annotated[list[Word] | None, LIST] = Field(
        default=None,
        description="The values of `task_data.task_type` that it has handlers for, with `any` for a"
        " handler of tasks without a type or of a type that nobody announced. Without it the agent is"
        " offered tasks of all types.",
    )
    endpoints: Annotated[Urls | None, WITHOUT_NULLS] = Field(
        default=None, description="Name of service to URL."
    )
    metadata: Annotated[dict[str, Any] | None, OBJECT] = Field(
        default=None, description="Anything more about it."
    )
    version: Word | None = Field(default=None, description="The agent's own version.")
    tags: Annotated[Names | None, LIST] = Field(default=None, description="Words to find it by.")
    slots: Annotated[int, Field(ge=1), NO_BOOLEAN] | None = Field(
        default=None, description="How many tasks it does at once."
    )


class Registered(AnswerModel):
    status: Success
    message: str = Field(examples=["Agent hermes-agent registered successfully"])
    agent_id: AgentId
    registered_at: Instant
    warning: str | None = Field(
        default=None,
        description="That the agent has no control queue on the broker, and so takes no tasks; which"
        " keys of the request are unknown and were ignored.",
    )


MAX_ENDPOINT = 2048
"""Characters in the URL of an endpoint."""


def check_registration(body: RegisterAgent, limits: RequestLimits) -> None:
    """Raises `InvalidRequest` with a sentence for each refusal. The type, and the lists of names,
    are the registrar's to check, since agents also register over the broker.
    """
    check_path_id(body.agent_id, "agent_id", field="agent_id", words=AGENT_WORDS)
    if body.version is not None:
        check_id(body.version, "version", field="version")
    endpoints = body.endpoints or {}
    check_names(list(endpoints), "endpoints", at_most=limits.max_names)
    if any(len(url) > MAX_ENDPOINT for url in endpoints.values()):
        raise InvalidRequest(
            f"endpoints holds a URL of more than {MAX_ENDPOINT} characters", field="endpoints"
        )
    check_data(body.metadata or {}, "metadata", limits)


def register_request(body: RegisterAgent) -> RegisterRequest:
    """The same registration as agents send it over the broker."""
    given: dict[str, Any] = body.model_dump(exclude_none=True)
    return RegisterRequest(**given)

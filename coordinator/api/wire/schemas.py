"""What requests hold. Keys that are not named here are ignored, and the answer says which; null is as
good as absent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from coordinator.api.wire.fields.word_patterns import (
    AgentIdWord,
    Names,
    Urls,
    Word,
    task_data_schema,
)
from coordinator.domain.agent_statuses import AGENT_TYPES, AgentStatus
from coordinator.protocol.priority import Priority

__all__ = [
    "BackoffBody",
    "BatchBody",
    "CancelTaskBody",
    "DeadTasksFilter",
    "DeadTasksQuery",
    "DiscoverAgents",
    "Heartbeat",
    "RedriveDeadBody",
    "RegisterAgent",
    "RetryTaskBody",
    "SubmitTaskBody",
    "TaskRequirements",
    "UpdateStatus",
]

_STATUSES = f"One of: {', '.join(AgentStatus)}."

StatusWord = Annotated[str, Field(json_schema_extra={"enum": [*AgentStatus]})]
"""Checked where it is read, with a sentence."""


def _no_boolean(value: Any) -> Any:
    """`true` is 1 to Python, and a mistake in a request."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "Input should be a valid number, not true or false")
    return value


NO_BOOLEAN = BeforeValidator(_no_boolean)
"""Stands last, after the limits of the number."""

Number = Annotated[float, NO_BOOLEAN]
Finite = Annotated[FiniteFloat, NO_BOOLEAN]
Whole = Annotated[int, NO_BOOLEAN]


def _object(value: Any) -> Any:
    """PHP has `[]` for an empty object."""
    return {} if value == [] else value


def _list(value: Any) -> Any:
    """Lua has `{}` for an empty list."""
    return [] if value == {} else value


def _without_nulls(values: Any) -> Any:
    """Null is what was not given."""
    if not isinstance(values, dict):
        return _object(values)
    return {name: value for name, value in values.items() if value is not None}


OBJECT, LIST = BeforeValidator(_object), BeforeValidator(_list)
WITHOUT_NULLS = BeforeValidator(_without_nulls)
"""As agents of other languages write it over the broker (`protocol.json_values.lenient_reading`)."""

LoadMetrics = Annotated[dict[str, Finite] | None, WITHOUT_NULLS]

PriorityWord = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": ["string", "null"],
            "enum": [*(priority.value for priority in Priority), None],
            "description": "How urgent the task is, in any letter case; `normal` where it is left out.",
        }
    ),
]
"""Any value at all, because a wrong one is answered with the contract's own sentence (400)."""

InstantText = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-31T12:00:00Z"])
]
"""RFC 3339 with an offset; read by `instants`, which says so where it is anything else."""


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(frozen=True, extra="ignore", json_schema_extra={"examples": [fields]})


def _only(**fields: Any) -> ConfigDict:
    """Of a body in which unknown keys are refused, see `unknown_keys.refuse_unknown_keys`."""
    return ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={"examples": [fields], "additionalProperties": False},
    )


class RegisterAgent(BaseModel):
    """An agent makes itself known, or says anew what it can do."""

    model_config = _example(
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


class DiscoverAgents(BaseModel):
    """All filters must match; a filter that is not given matches every agent."""

    model_config = _example(status="active", agent_type="worker")

    status: str | None = Field(default=None, description=_STATUSES)
    agent_type: str | None = None
    capabilities: Annotated[list[str] | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    services: Annotated[list[str] | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    tags: Annotated[list[str] | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    min_health_score: Annotated[FiniteFloat, Field(ge=0, le=1), NO_BOOLEAN] | None = Field(
        default=None, description="A health score below this does not match: 0 to 1."
    )
    limit: Annotated[int, Field(ge=1), NO_BOOLEAN] | None = Field(
        default=None, description="At most so many, those with the best health."
    )


class UpdateStatus(BaseModel):
    """Declares an agent's status."""

    model_config = _example(
        status="busy", load_metrics={"active_connections": 5, "pending_tasks": 2}
    )

    status: StatusWord = Field(description=_STATUSES)
    load_metrics: LoadMetrics = Field(
        default=None, description="Such as active_connections, pending_tasks, cpu_usage."
    )


class Heartbeat(BaseModel):
    """A sign of life of an agent that speaks HTTP."""

    model_config = _example(status="active", load_metrics={"cpu_usage": 0.25})

    status: StatusWord | None = Field(default=None, description="What the agent says of itself.")
    load_metrics: LoadMetrics = None


class TaskRequirements(BaseModel):
    """What an agent must have to do the task; what is not named is not required."""

    model_config = _example(capabilities=["analysis"], agent_type="worker")

    capabilities: Annotated[Names | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    agent_type: Word | None = None
    services: Annotated[Names | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    agent_id: Word | None = Field(default=None, description="This agent and no other.")


class BackoffBody(BaseModel):
    """How long to wait before another attempt; what is not given is as the service has it."""

    model_config = _example(first_seconds=5, factor=2, longest_seconds=600)

    first_seconds: Number | None = Field(
        default=None,
        description="The pause after the first failure.",
        json_schema_extra={"minimum": 0, "maximum": 604800},
    )
    factor: Number | None = Field(
        default=None,
        description="Each pause is so many times the one before: 1 to 100.",
        json_schema_extra={"minimum": 1, "maximum": 100},
    )
    longest_seconds: Number | None = Field(
        default=None,
        description="No pause is longer.",
        json_schema_extra={"minimum": 0, "maximum": 604800},
    )


class SubmitTaskBody(BaseModel):
    """A piece of work."""

    model_config = _example(
        task_data={"model": "llama2", "prompt": "test prompt"}, priority="normal", requirements={}
    )

    task_data: Annotated[dict[str, Any], OBJECT] = Field(
        description="The work, as its agent understands it. `task_type` names the handler;"
        " `task_id`, where given, becomes the task's id, and makes repeating the request safe.",
        json_schema_extra=task_data_schema,
    )
    priority: PriorityWord = None
    requirements: Annotated[TaskRequirements | None, OBJECT] = None
    timeout_seconds: Number | None = Field(
        default=None,
        description="Seconds that one attempt may take; at most seven days.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 604800},
    )
    progress_timeout_seconds: Number | None = Field(
        default=None,
        description="Seconds that an attempt may go on without telling of progress.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 604800},
    )
    max_attempts: Whole | None = Field(
        default=None,
        description="Attempts before the task is dead: 1 to 100.",
        json_schema_extra={"minimum": 1, "maximum": 100},
    )
    backoff: Annotated[BackoffBody | None, OBJECT] = None
    delay_seconds: Number | None = Field(
        default=None,
        description="Seconds until it goes on its queue; at most a year.",
        json_schema_extra={"minimum": 0, "maximum": 366 * 86400},
    )
    not_before: InstantText | None = Field(
        default=None, description="When it goes on its queue, instead of `delay_seconds`."
    )
    expires_in_seconds: Number | None = Field(
        default=None,
        description="Seconds within which it must start; after them it is `expired`.",
        json_schema_extra={"exclusiveMinimum": 0, "maximum": 2 * 366 * 86400},
    )
    expires_at: InstantText | None = Field(
        default=None, description="Until when it must start, instead of `expires_in_seconds`."
    )
    metadata: Annotated[dict[str, Any] | None, OBJECT] = Field(
        default=None, description="Anything about the task that is not work; kept with it."
    )


class BatchBody(BaseModel):
    """Many pieces of work."""

    model_config = _example(
        tasks=[{"task_data": {"prompt": "one"}}, {"task_data": {"prompt": "two"}}]
    )

    tasks: Annotated[
        list[Any],
        LIST,
        WithJsonSchema(
            {
                "type": "array",
                "items": {"$ref": "#/components/schemas/SubmitTaskBody"},
                "maxItems": 1000,
            }
        ),
    ] = Field(description="Each as in `POST /tasks/submit`.")
    """Anything at all, because each is answered with a verdict of its own."""


class CancelTaskBody(BaseModel):
    """Why a task is cancelled."""

    model_config = _only(reason="submitted by mistake")

    reason: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="For people; kept as the message of the task's error."
    )


class RetryTaskBody(BaseModel):
    """How an ended task is tried again."""

    model_config = _only(delay_seconds=60)

    task_data: Annotated[dict[str, Any] | None, OBJECT] = Field(
        default=None, description="In place of the task's own."
    )
    delay_seconds: Annotated[float, Field(ge=0, le=366 * 86400), NO_BOOLEAN] | None = Field(
        default=None, description="Seconds until it goes to its queue; at most a year."
    )


class DeadTasksFilter(BaseModel):
    """Which dead tasks are meant: all that is given must match."""

    error_type: str | None = Field(default=None, description="What they died of.")
    lane: str | None = Field(default=None, description="The lane that they are of.")
    task_type: str | None = Field(default=None, description="Their `task_data.task_type`.")
    submitted_from: datetime | None = Field(default=None, description="Not before this.")
    submitted_before: datetime | None = Field(default=None, description="Before this.")


class DeadTasksQuery(DeadTasksFilter):
    """Which of them, and which page."""

    limit: int = Field(default=100, ge=1, le=1000, description="Tasks on one page.")
    cursor: str | None = Field(default=None, description="The `next_cursor` of the page before.")


class RedriveDeadBody(DeadTasksFilter):
    """Which dead tasks are tried again, and how fast."""

    DEFAULT_LIMIT: ClassVar[int] = 1000

    model_config = _only(error_type="ConnectionError", rate_per_second=50, dry_run=True)

    rate_per_second: Annotated[float, Field(ge=0.01, le=10_000), NO_BOOLEAN] | None = Field(
        default=None,
        description="Tasks that go to their queues in a second; by default all at once.",
    )
    limit: Annotated[int, Field(ge=1, le=10_000), NO_BOOLEAN] | None = Field(
        default=None, description=f"Tasks in one request; by default {DEFAULT_LIMIT}."
    )
    dry_run: bool | None = Field(default=None, description="Only count them.")

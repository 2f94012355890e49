"""The Python client against the application: it asks for what there is, and reads what it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from coordinator.access.roles import Role
from coordinator.client import (
    ONCE,
    Agent,
    AsyncClient,
    Client,
    InvalidRequest,
    NewTask,
    NotAuthenticated,
    NotFound,
    RoleMissing,
    Unavailable,
)
from coordinator.client.calls import (
    agent_calls,
    callback_calls,
    dead_task_calls,
    group_calls,
    queue_calls,
    schedule_calls,
    service_calls,
    submission,
    task_calls,
)
from coordinator.client.exchange.http_messages import Call
from coordinator.client.models import (
    accepted_tasks,
    agents,
    callbacks,
    dead_tasks,
    groups,
    queues,
    schedules,
    service_health,
    tasks,
)
from coordinator.errors import BrokerUnavailable
from tests.contract.fakes import Fakes, a_task, an_agent
from tests.support.api_keys import authenticator_with

CALLS: list[Call[Any]] = [
    submission.submission({}),
    *(task_calls.task("t"), task_calls.waited("t", 1), task_calls.cancel("t")),
    task_calls.answer("t", "yes"),
    *(task_calls.retry("t"), task_calls.delete("t"), task_calls.explain("t")),
    *(task_calls.timeline("t"), task_calls.tasks(), task_calls.agents_tasks("a")),
    *(agent_calls.agent("a"), agent_calls.agents(), agent_calls.discover()),
    *(
        agent_calls.drain("a"),
        agent_calls.declare_status("a", "busy"),
        agent_calls.remove_agent("a"),
    ),
    *(queue_calls.queue_sizes(), queue_calls.queue_stats(), queue_calls.statistics()),
    *(queue_calls.clear_queue("low"), queue_calls.retire_lane("any")),
    *(dead_task_calls.dead(), dead_task_calls.redrive()),
    *(schedule_calls.create_schedule("* * * * *", {}), schedule_calls.schedules()),
    *(schedule_calls.schedule("s"), schedule_calls.pause_schedule("s")),
    *(schedule_calls.edit_schedule("s", cron="0 4 * * *"), schedule_calls.run_schedule("s")),
    *(schedule_calls.resume_schedule("s"), schedule_calls.delete_schedule("s")),
    *(group_calls.group("g"), group_calls.group_waited("g"), group_calls.cancel_group("g")),
    *(callback_calls.callbacks(), callback_calls.redrive_callbacks()),
    *(
        service_calls.health(),
        service_calls.findings(),
        service_calls.whoami(),
        service_calls.parked(),
        service_calls.parked_message(1),
    ),
]
OTHERWISE = {
    *(("POST", "/tasks/submit/batch"), ("GET", "/events"), ("GET", "/tasks/{task_id}/stream")),
    # For agents, probes, Prometheus and people.
    *(("POST", "/agents/register"), ("POST", "/agents/{agent_id}/heartbeat"), ("GET", "/metrics")),
    *(("GET", "/health/live"), ("GET", "/health/ready"), ("GET", "/")),
}


@pytest.fixture
def document() -> dict[str, Any]:
    return Fakes().app().openapi()


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    fakes = Fakes()
    fakes.agents["ada"] = an_agent(agent_id="ada")
    fakes.tasks["task-1"] = a_task(task_id="task-1")
    async with over(fakes) as found:
        yield found


def over(fakes: Fakes, *, key: str | None = None, **changes: Any) -> AsyncClient:
    transport = httpx.ASGITransport(fakes.app(**changes), raise_app_exceptions=False)
    return AsyncClient("http://test", transport=transport, key=key or "", retries=ONCE)


def template(path: str, known: list[str]) -> str:
    """As the document has the path of a request; what is named there comes before what may be anything."""
    segments = path.partition("?")[0].split("/")
    found = [
        one
        for one in known
        if len(one.split("/")) == len(segments)
        and all(
            mine == theirs or theirs.startswith("{")
            for mine, theirs in zip(segments, one.split("/"), strict=True)
        )
    ]
    return min(found, key=lambda one: one.count("{"))


def test_there_is_a_call_for_each_operation_of_the_document(document: dict[str, Any]) -> None:
    known = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    paths = [path for _, path in known]
    called = {(call.request.method, template(call.request.path, paths)) for call in CALLS}
    assert called | OTHERWISE == known
    assert not called & OTHERWISE


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (tasks.Task, "TaskShape"),
        (tasks.TaskSummary, "TaskSummaryShape"),
        (tasks.TaskError, "TaskError"),
        (tasks.Progress, "Progress"),
        (tasks.Question, "QuestionShape"),
        (tasks.Answer, "AnswerShape"),
        (tasks.TimelineEvent, "HappeningShape"),
        (tasks.Explanation, "ExplanationShape"),
        (tasks.ExplainedAgent, "ExplainedAgent"),
        (tasks.NewTask, "SubmitTaskBody"),
        (accepted_tasks.Accepted, "Submitted"),
        (accepted_tasks.Cancelled, "CancelledAnswer"),
        (accepted_tasks.Retried, "RedrivenAnswer"),
        (agents.Agent, "AgentShape"),
        (agents.Drained, "DrainAnswer"),
        (queues.Queue, "QueueShape"),
        (queues.PriorityTotals, "PriorityTotals"),
        (queues.LoadStats, "LoadBalancerStats"),
        (queues.Statistics, "TotalsShape"),
        (queues.QueueStats, "QueueStatsAnswer"),
        (dead_tasks.DeadTasks, "DeadTasksAnswer"),
        (dead_tasks.DeadTask, "DeadTaskShape"),
        (dead_tasks.DeadGroup, "DeadGroupShape"),
        (dead_tasks.Redriven, "RedrivenManyAnswer"),
        (schedules.Schedule, "ScheduleShape"),
        (groups.Group, "GroupShape"),
        (groups.GroupWaited, "GroupWaitAnswer"),
        (groups.GroupCancelled, "GroupCancelledAnswer"),
        (callbacks.CallbackDelivery, "DeliveryShape"),
        (callbacks.CallbacksRedriven, "RedrivenCallbacksAnswer"),
        (service_health.Health, "Health"),
        (service_health.Caller, "Whoami"),
        (service_health.ParkedMessage, "ParkedWholeShape"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_model_has_the_fields_of_the_answer(
    model: type, schema: str, document: dict[str, Any]
) -> None:
    told = set(document["components"]["schemas"][schema]["properties"])
    left_out = {"status", "message", "timestamp"} if model is not tasks.Task else set()
    if model is queues.LoadStats:
        left_out = {"agent_weights"}  # always as many as there are weights to set: none
    assert {field.name for field in fields(model)} >= told - left_out
    assert {field.name for field in fields(model)} <= told


async def test_answers_of_all_kinds_are_read(client: AsyncClient) -> None:
    accepted = await client.submit(
        {"task_type": "count"},
        priority="high",
        requirements={"capabilities": ["gpu"]},
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        backoff={"first_seconds": 1},
    )
    assert accepted.accepted.submitted_at is not None
    found = await client.task(accepted.task_id)
    assert found.submitted_at is not None
    assert found.submitted_at.tzinfo is not None
    assert (await client.agents()).total is not None
    (agent, *_) = await client.discover(status="active")
    assert isinstance(agent, Agent)
    assert (await client.queue_sizes()).keys() == {"urgent", "critical", "high", "normal", "low"}
    assert (await client.queue_stats()).priorities["low"].queues >= 0
    assert (await client.statistics()).load_balancer_stats.strategy
    assert (await client.dead()).groups
    assert (await client.redrive(error_type="ValueError", dry_run=True)).dry_run
    schedule = await client.create_schedule(
        "* * * * *", NewTask(task_data={"a": 1}, priority="low"), schedule_id="s"
    )
    assert schedule.task == {"task_data": {"a": 1}, "priority": "low"}
    assert (await client.health()).service == "agent-coordinator"
    handles = await client.submit_many([{"n": 1}, NewTask(task_data={"n": 2})])
    assert len(handles) == 2


async def test_groups_and_callbacks_are_read(client: AsyncClient) -> None:
    await client.submit({"n": 1}, group="report-7")
    assert (await client.group("report-7")).counts["queued"] == 1
    waited = await client.group_waited("report-7", 0)
    assert (waited.reached, waited.group.total) == (False, 1)
    cancelled = await client.cancel_group("report-7", "no need", tags=["blue"], limit=1)
    assert cancelled.group.group_id == "report-7"
    assert all(one.webhook_id for one in await client.callbacks(state="dead", host="a.example"))
    assert (await client.redrive_callbacks(dry_run=True)).dry_run


async def test_dead_tasks_are_found_by_their_labels(client: AsyncClient) -> None:
    """A filter that there is not is refused."""
    assert (await client.dead(group="g", tags=["a", "b"])).groups
    assert (await client.redrive(group="g", tags=["a"], dry_run=True)).dry_run
    with pytest.raises(InvalidRequest, match="customer"):
        await client.dead(metadata={"customer": 7})


ASKS: list[tuple[Callable[[AsyncClient], Any], type[Exception]]] = [
    (lambda client: client.task("nobody"), NotFound),
    (lambda client: client.submit({}, priority=cast("Any", "soon")), InvalidRequest),
    (lambda client: client.tasks(submitted_after=cast("Any", "yesterday")), InvalidRequest),
]


@pytest.mark.parametrize(("ask", "kind"), ASKS)
async def test_what_is_refused_is_the_error_of_its_kind_with_the_sentence_of_the_service(
    client: AsyncClient, ask: Callable[[AsyncClient], Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="answered 4"):
        await ask(client)


async def test_without_a_key_that_counts_and_has_the_role_the_error_says_so() -> None:
    authenticator, secrets = await authenticator_with(reader=(Role.READER,))
    async with over(Fakes(), authenticator=authenticator) as nobody:
        with pytest.raises(NotAuthenticated):
            await nobody.tasks()
    async with over(Fakes(), key=secrets["reader"], authenticator=authenticator) as reader:
        await reader.tasks()
        with pytest.raises(RoleMissing, match="producer"):
            await reader.submit({})


async def test_a_broker_that_is_away_is_unavailable_with_a_time_to_come_back() -> None:
    fakes = Fakes()
    fakes.failure = BrokerUnavailable()
    async with over(fakes) as client:
        with pytest.raises(Unavailable, match="Task distributor not available") as raised:
            await client.submit({})
    assert raised.value.retry_after == 5


def test_the_blocking_client_has_the_same_calls() -> None:
    assert {name for name in vars(Client) if not name.startswith("_")} == {
        name for name in vars(AsyncClient) if not name.startswith("_")
    }

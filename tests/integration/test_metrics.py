"""`GET /metrics` tells what happened to real tasks on a real broker, and how the service stands."""

from __future__ import annotations

import json
import os
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from consumers import Task
from coordinator.bootstrap import running
from coordinator.bootstrap.replacements import Duty
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.metrics.group_file import PROJECTING, GroupMember, open_group_file
from coordinator.metrics.metric_catalogue import CATALOGUE
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_output import OUTPUT_TYPE, output_key
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import LOG, OUTPUT
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker, OwnBroker
from tests.support.output_streams import on_a_socket
from tests.support.scraping import scrape
from tests.support.server_sent_events import streaming
from tests.support.serving import SECRET, Service, serving
from tests.support.waiting import eventually


async def submit(service: Service, kind: str, **more: object) -> str:
    body = {"task_data": {"task_type": kind}, "priority": "high", **more}
    answer = await service.http.post("/tasks/submit", json=body)
    assert answer.status_code == 200, answer.text
    task_id: str = answer.json()["task_id"]
    return task_id


async def test_partial_output_is_counted_where_it_is_heard_told_and_refused(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent()

        @agent.task("speak")
        async def speak(task: Task) -> None:
            for word in ("for", "ty", "two"):
                await task.emit(word)

        piece = {
            "task_id": "t",
            "task_token": task_token(SECRET.encode(), "t", 1, 1),
            "chunks": ["a"],
        }
        pieces = [
            piece | {"first": 1},
            piece | {"first": 3},  # the second never came
            piece | {"first": 3},  # came twice
            piece | {"first": 4, "task_token": "forged"},
        ]
        async with agent.running() as life:
            await life.registered()
            task_id = await submit(service, "speak")
            for _ in range(2):
                answer = await service.http.get(f"/tasks/{task_id}/stream")
                assert "ty" in answer.text
            for body in (json.dumps({"agent_id": "eve", "output": pieces}), "{"):
                await service.coordinator.publisher.publish(
                    Message(body=body.encode(), type=OUTPUT_TYPE),
                    exchange=OUTPUT,
                    key=output_key("eve"),
                )

            async def refused() -> bool:
                page = await scrape(service.http)
                return page.value("output_refused_total", reason="MalformedMessage") == 1

            await eventually(refused)
            page = await scrape(service.http)
        assert page.value("output_chunks_heard_total") == 5
        assert page.value("output_chunks_told_total") == 6
        assert page.value("output_gaps_total") == 1
        assert page.value("output_refused_total", reason="WrongToken") == 1
        assert page.value("output_refused_total", reason="ForgedIdentity") == 0


async def test_tasks_are_counted_from_their_submission_to_their_end(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent(slots=2)

        @agent.task("good")
        async def good(task: Task) -> str:
            return "done"

        @agent.task("bad")
        async def bad(task: Task) -> None:
            raise LookupError("never found")

        async with agent.running() as life:
            await life.registered()
            ids = [await submit(service, "good") for _ in range(3)]
            retries = {"max_attempts": 2, "backoff": {"first_seconds": 0.05}}
            ids.append(await submit(service, "bad", **retries))
            batch = {"tasks": [{"task_data": {"task_type": "good"}, "priority": "low"}] * 2}
            answer = await service.post("/tasks/submit/batch", **batch)
            ids += [one["task_id"] for one in answer["results"]]
            deep: dict[str, object] = {}
            for _ in range(40):
                deep = {"deeper": deep}
            refused = await service.http.post("/tasks/submit", json={"task_data": deep})
            assert refused.status_code == 422
            for task_id in ids:
                await service.ends(task_id)
            page = await scrape(service.http)

        assert page.value("tasks_submitted_total", priority="high", via="single") == 4
        assert page.value("tasks_submitted_total", priority="low", via="batch") == 2
        assert page.value("submissions_refused_total", reason="InvalidRequest") == 1
        assert page.value("submit_seconds_count", via="single") == 4
        assert page.value("tasks_ended_total", state="completed", priority="high") == 3
        assert page.value("tasks_ended_total", state="completed", priority="low") == 2
        assert page.value("tasks_ended_total", state="dead", priority="high") == 1
        assert page.value("executions_total", priority="high") == 5
        assert page.value("attempts_failed_total", priority="high") == 2
        assert page.value("retries_total", priority="high") == 1
        assert page.value("tasks_dead_total", error_type="LookupError") == 1
        assert page.value("task_start_seconds_count", priority="high") == 4
        assert page.value("publishes_in_flight") is not None
        assert page.total("publish_confirm_seconds_count") >= 6
        assert page.total("publishes_failed_total") == 0
        assert page.value("ready") == 1
        assert page.value("projector_lag_seconds") is not None
        assert page.value("projector_lag_messages") is not None
        assert page.value("outbox_due") == page.value("outbox_tasks") == 0
        assert page.value("parked_messages") == 0
        assert page.by("kind", "subscribers") == {"events": 0, "task": 0, "websocket": 0}
        assert page.value("subscribers_cut_off_total") == 0
        assert set(page.by("part", "scrape_part_failed").values()) == {0}
        assert page.by("process", "process_resident_memory_bytes").keys() == {"worker-1"}
        known = {metric.name for metric in CATALOGUE}
        told = {family.name for family in page.families}
        assert told <= known | {name.removesuffix("_total") for name in known}


async def test_what_waits_is_told_and_what_is_folded_parked_and_followed_counts(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, on_a_socket(service.coordinator) as url:
        before = await scrape(service.http)
        agent = service.agent(slots=2)

        @agent.default
        async def ask(task: Task) -> object:
            return await task.ask("Go on?")

        later = await service.http.post(
            "/tasks/submit", json={"task_data": {}, "delay_seconds": 600}
        )
        assert later.status_code == 200
        await service.coordinator.publisher.publish(
            Message(body=b"nothing that is an event", type="?"), exchange="", key=LOG
        )
        async with (
            agent.running(),
            streaming(url, "/events") as events,
            streaming(url, f"/tasks/{later.json()['task_id']}/stream") as of_task,
        ):
            await events.frame()
            await of_task.frame()
            asking = await submit(service, "any")
            await service.becomes(asking, "input_required")

            async def all_of_it() -> bool:
                page = await scrape(service.http)
                return [page.value(name) for name in WAITING] == [1, 1, 1]

            await eventually(all_of_it)
            page = await scrape(service.http)
            assert page.value("outbox_due") == 0
            assert page.value("messages_parked_total") == 1
            assert page.by("kind", "subscribers") == {"events": 1, "task": 1, "websocket": 0}
            for name in ("events_folded_total", "fold_seconds_count", "process_cpu_seconds_total"):
                assert page.total(name) > before.total(name)
            assert page.total("folds_failed_total") == 0
            text = (await service.http.get("/metrics")).text
            assert asking not in text, "a task's id has no bound"
            await service.post(f"/tasks/{asking}/input", answer="yes")
            await service.ends(asking)
            page = await scrape(service.http)
            assert page.value("input_required_tasks") == 0


WAITING = ("outbox_tasks", "parked_messages", "input_required_tasks")


async def test_queues_and_agents_are_told_as_they_stand(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path, metrics_agents=1) as service:
        agent = service.agent(capabilities=["gpu"])

        @agent.task("train")
        async def train(task: Task) -> None: ...

        async with agent.running() as life:
            await life.registered()
            needs = {"requirements": {"capabilities": ["tpu"]}}
            for kind in ("a", "b"):
                await submit(service, kind, **needs)
            await submit(service, "x", requirements={"agent_id": "somebody"})

            async def seen() -> bool:
                page = await scrape(service.http)
                return page.value("queue_tasks", priority="high", lane="cap:tpu") == 2

            await eventually(seen)
            page = await scrape(service.http)
            assert page.value("queue_tasks", priority="high", lane="agent:*") == 1
            oldest = page.value("queue_oldest_seconds", priority="high", lane="cap:tpu")
            assert oldest is not None
            assert 0 < oldest < 60
            assert page.value("lane_listening_agents", lane="cap:tpu") == 0
            assert page.value("agents_listening") == 1
            assert page.by("status", "agents").keys() == {one.value for one in AgentStatus}
            assert page.value("agents", status="active") == 1
            assert page.by("agent_id", "agent_running_tasks") == {"ada": 0}
            assert page.by("agent_id", "agent_silence_seconds").keys() == {"ada"}
        assert (await service.http.delete("/agents/ada")).status_code == 200
        page = await scrape(service.http)
        assert page.by("agent_id", "agent_running_tasks") == {}
        assert page.by("agent_id", "agent_silence_seconds") == {}


async def test_no_series_has_an_agents_id_unless_that_is_set(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service:
        agent = service.agent("a-rare-id")
        agent.default(lambda task: None)
        async with agent.running() as life:
            await life.registered()
            assert "a-rare-id" not in (await service.http.get("/metrics")).text


async def test_each_process_of_a_service_tells_the_sum_of_all(
    broker: Broker, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, secret=SECRET)
    descriptor = open_group_file(processes=3)
    async with AsyncExitStack() as stack:
        stack.callback(os.close, descriptor)

        async def process(duty: Duty, place: int) -> Service:
            member = GroupMember(descriptor=descriptor, place=place)
            coordinator = await stack.enter_async_context(
                running(settings, duty=duty, member=member)
            )
            http = await stack.enter_async_context(over(coordinator.app))
            return Service(coordinator, http, broker, tmp_path)

        await process(Duty.PROJECTING, PROJECTING)
        first, second = [await process(Duty.SERVING, place) for place in (1, 2)]
        for one in (first, second):
            await one.coordinator.ready()
        agent = first.agent(slots=2)
        agent.default(lambda task: "done")
        async with agent.running():
            ids = [await submit(one, "any") for one in (first, second, second)]
            for task_id in ids:
                await first.ends(task_id)

            async def told(service: Service) -> bool:
                page = await scrape(service.http)
                return (
                    page.total("tasks_submitted_total") == 3
                    and page.value("tasks_ended_total", state="completed", priority="high") == 3
                    and page.by("process", "process_open_fds").keys()
                    == {"projecting", "worker-1", "worker-2"}
                )

            for one in (first, second):
                await eventually(partial(told, one))


async def test_without_its_broker_the_page_says_what_is_missing(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    async with serving(own_broker, tmp_path) as service:
        await submit(service, "any")
        await own_broker.kill()

        async def known() -> bool:
            page = await scrape(service.http)
            parts = page.by("part", "scrape_part_failed")
            return parts["lag"] == parts["log"] == 1 and page.value("ready") == 0

        await eventually(known)
        page = await scrape(service.http)
        assert page.value("projector_lag_seconds") is None
        assert page.value("parked_messages") == 0
        assert page.total("tasks_submitted_total") == 1


async def test_where_they_are_turned_off_or_told_elsewhere_the_api_says_so(
    broker: Broker, tmp_path: Path
) -> None:
    for settings in ({"metrics": False}, {"metrics_port": 0}):
        async with serving(broker, tmp_path, **settings) as service:
            answer = await service.http.get("/metrics")
            assert answer.status_code == 404
            assert "COORDINATOR_METRICS_PORT" in answer.json()["detail"]

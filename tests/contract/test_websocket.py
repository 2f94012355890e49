"""`/ws` over the real server: who may connect, what is confirmed, what comes, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from coordinator.access.api_key import new_secret
from coordinator.access.authenticator import Authenticator
from coordinator.access.caller_quotas import CallerQuotas
from coordinator.access.key_ring import KeyRing
from coordinator.access.roles import Role
from coordinator.registry.feed.recorded_events import RecordedEvent
from coordinator.streaming.subscriber_counts import StreamKind, SubscriberCounts
from tests.contract.fakes import a_task
from tests.contract.test_event_streams import Side, served
from tests.support.api_keys import KeysInMemory, an_api_key, authenticator_with
from tests.support.server_sent_events import streaming
from tests.support.waiting import eventually

FIRST = "connection_established"


class Socket:
    """One connection, after its first message."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(20):
            found: dict[str, Any] = json.loads(await self.connection.recv())
        return found

    async def say(self, kind: str, **payload: Any) -> None:
        message = {"type": kind, "payload": payload} if payload else {"type": kind}
        await self.connection.send(json.dumps(message))

    async def subscribe(self, topic: str, **more: Any) -> dict[str, Any]:
        await self.say("subscribe", topic=topic, **more)
        told = await self.hear()
        assert (told["type"], told["topic"]) == ("subscription_confirmed", topic), told
        return told

    async def closed(self) -> tuple[int, str]:
        with suppress(ConnectionClosed):
            async with asyncio.timeout(20):
                while True:
                    await self.connection.recv()
        return self.connection.close_code or 0, self.connection.close_reason or ""


@contextlib.asynccontextmanager
async def connected(
    side: Side, path: str = "/ws", headers: dict[str, str] | None = None
) -> AsyncIterator[Socket]:
    url = side.url.replace("http://", "ws://") + path
    async with connect(url, additional_headers=headers, proxy=None) as connection:
        socket = Socket(connection)
        first = await socket.hear()
        assert (first["type"], first["agent_id"]) == (FIRST, None)
        assert first["topics"] == ["tasks", "agents", "metrics", "output"]
        yield socket


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    async with served() as side:
        yield side


@pytest.mark.parametrize("path", ["/ws", "/v1/ws"])
async def test_topics_are_confirmed_and_bring_the_events_at_their_positions(
    side: Side, path: str
) -> None:
    async with connected(side, path) as socket:
        told = await socket.subscribe("tasks")
        assert (told["position"], told["payload"]) == (0, {"topic": "tasks"})
        side.happens(1, kind="agent.registered", subject="ada")
        side.happens(2, state="running")
        event = await socket.hear()
        assert (event["type"], event["topic"], event["position"]) == ("event", "tasks", 2)
        async with streaming(side.url, "/events?after=1") as stream:
            same = await stream.event()
            assert same is not None
            assert event["event"] == same.json
        await socket.subscribe("agents", resume_from=0)
        event = await socket.hear()
        assert (event["topic"], event["position"]) == ("agents", 1)
        await socket.say("unsubscribe", topic="tasks")
        assert (await socket.hear())["type"] == "unsubscription_confirmed"
        side.happens(3)
        side.happens(4, kind="agent.stopped", subject="ada")
        assert (await socket.hear())["position"] == 4
    await side.none_open()


async def test_an_event_is_encoded_once_whatever_kinds_of_streams_there_are(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    tell = RecordedEvent.told

    def telling(one: RecordedEvent) -> dict[str, Any] | None:
        encoded.append(one.position)
        return tell(one)

    monkeypatch.setattr(RecordedEvent, "told", telling)
    side.fakes.tasks["t"] = a_task(task_id="t", state="running")
    side.happens(1, state="running")
    paths = ("/events", "/events?task_id=t", "/events?type=task.*", "/tasks/t/stream") * 2
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(streaming(side.url, path)) for path in paths]
        sockets = [await stack.enter_async_context(connected(side)) for _ in range(2)]
        for stream in streams:
            await stream.frame()
        await sockets[0].subscribe("tasks")
        await sockets[1].subscribe("tasks", filter={"task_id": ["t"]})
        side.happens(2, state="running", data={"text": "told to all of them"})
        for stream in streams:
            while (event := await stream.event()) is not None and event.position < 2:
                continue
            assert event is not None
            assert "told to all of them" in str(event.data)
        for socket in sockets:
            assert (await socket.hear())["position"] == 2
    assert encoded.count(2) == 1


async def test_a_subscription_goes_on_where_the_client_was_and_takes_filters(side: Side) -> None:
    side.happens(1, subject="a", priority="low")
    side.happens(2, subject="b", priority="high")
    side.happens(3, kind="task.failed", subject="b", priority="high")
    async with connected(side) as socket:
        wanted = {"priority": ["high"], "type": ["task.failed"]}
        await socket.subscribe("tasks", resume_from=0, filter=wanted)
        assert (await socket.hear())["position"] == 3
        await socket.subscribe("tasks", resume_from=1)  # begins anew
        assert [(await socket.hear())["position"] for _ in range(2)] == [2, 3]
    side.fakes.events.delete(2)
    async with connected(side) as socket:
        await socket.subscribe("tasks", resume_from=0)
        told = await socket.hear()
        assert (told["type"], told["after"], told["until"]) == ("stream.incomplete", 0, 2)
    async with connected(side) as socket:
        await socket.subscribe("tasks", resume_from=99)
        assert (await socket.hear())["type"] == "stream.reset"


async def test_the_statistics_come_at_once_and_are_those_of_the_status(side: Side) -> None:
    async with connected(side) as socket:
        await socket.subscribe("metrics")
        told = await socket.hear()
        assert (told["type"], told["topic"]) == ("metrics", "metrics")
        assert told["stats"]["load_balancer_stats"]["strategy"] == "least_connections"


async def test_a_key_that_means_nothing_is_warned_of_in_the_confirmation(side: Side) -> None:
    async with connected(side) as socket:
        told = await socket.subscribe("tasks", resume_form=0)
        assert told["warning"] == (
            "These unknown keys were ignored: 'payload.resume_form' (did you mean"
            " 'payload.resume_from'?)."
        )
        assert "warning" not in await socket.subscribe("agents", resume_from=0)
        await socket.say("unsubscribe", topic="agents", topics=[])
        assert "'payload.topics'" in (await socket.hear())["warning"]
        assert "'payload.every'" in (await socket.subscribe("metrics", every=1))["warning"]


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("{", "A message must be a JSON object"),
        ("[1]", "A message must be a JSON object"),
        ('{"type": "shout"}', 'A message needs a "type"'),
        ("{}", 'A message needs a "type"'),
        ('{"type": "subscribe"}', "payload is required"),
        ('{"type": "subscribe", "payload": {"topic": "weather"}}', "payload.topic: "),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "resume_from": -1}}',
            "resume_from: ",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "filter": {"tsk": 1}}}',
            "filter.tsk: there is no such filter: use task_id, agent_id, type,",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "filter": {"priorty": ["low"]}}}',
            "filter.priorty: there is no such filter: did you mean priority?",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "filter": {"after": 5}}}',
            "filter.after: give the position as resume_from, beside the topic",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "filter": {"type": ["task.end"]}}}',
            "payload.filter.type.0: 'task.end' is no type of event",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "filter": {"after": 0}}}',
            "filter.after: ",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "resume_from": true}}',
            "resume_from: input should be a valid number, not true or false",
        ),
        (
            '{"type": "subscribe", "payload": {"topic": "tasks", "filter": {"type": ["agent.*"]}}}',
            "the topic tasks has none of these",
        ),
    ],
)
async def test_what_cannot_be_done_is_told_and_the_connection_goes_on(
    side: Side, message: str, sentence: str
) -> None:
    async with connected(side) as socket:
        await socket.connection.send(message)
        told = await socket.hear()
        assert (told["type"], told["status"]) == ("error", 422)
        assert sentence in told["detail"]
        await socket.say("ping")
        assert (await socket.hear())["type"] == "pong"
        await socket.say("unsubscribe", topic="tasks")
        assert (await socket.hear())["type"] == "unsubscription_confirmed"


async def test_subscribers_are_counted_by_kind_for_as_long_as_they_are_there() -> None:
    counts = SubscriberCounts()
    async with served(subscribers=counts, quotas=CallerQuotas(streams=4)) as side:
        side.fakes.tasks["t"] = a_task(task_id="t")
        async with (
            streaming(side.url, "/events") as one,
            streaming(side.url, "/events") as another,
            streaming(side.url, "/tasks/t/stream") as of_task,
            connected(side),
        ):
            for stream in (one, another, of_task):
                await stream.frame()
            assert counts.by_kind() == {"events": 2, "task": 1, "websocket": 1}
            async with streaming(side.url, "/events") as refused:
                assert refused.status == 429
            assert counts.by_kind()[StreamKind.EVENTS] == 2
        await eventually(lambda: not any(counts.by_kind().values()))


async def test_a_message_that_is_too_large_closes_the_connection(side: Side) -> None:
    async with connected(side) as socket:
        await socket.connection.send("x" * 70_000)
        assert (await socket.closed())[0] == 1009


async def test_whoever_does_not_read_is_cut_off_with_the_reason(side: Side) -> None:
    async with connected(side) as socket:
        await socket.subscribe("tasks")
        for position in range(1, 3000):
            side.happens(position, data={"text": "x" * 10_000})
            await asyncio.sleep(0)
        await eventually(lambda: side.fakes.feed.head == 2999)  # all of it was given to it
        code, reason = await socket.closed()
        assert (code, "More has happened than was read" in reason) == (1013, True)
    await side.none_open()


async def test_the_connection_is_closed_in_good_order_when_the_server_stops() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with served() as side:
            socket = await stack.enter_async_context(connected(side))
            await socket.subscribe("tasks")
            idle = await stack.enter_async_context(connected(side))
        told = await socket.hear()
        assert (told["type"], told["reason"]) == ("stream.end", "stopping")
        assert (await socket.closed())[0] == 1001
        assert (await idle.closed())[0] in (1001, 1012)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_a_page_elsewhere_opens_none(
    side: Side, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with connected(side, headers=headers):
            pass
    assert refusal.value.response.status_code == status
    own = {"Origin": side.url, "Sec-Fetch-Site": "same-origin"}
    async with connected(side, headers=own) as socket:
        await socket.say("ping")
        assert (await socket.hear())["type"] == "pong"


async def test_a_name_that_is_not_this_services_opens_none(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    handshake = {
        "Host": "attacker.example",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with streaming(side.url, "/ws", handshake) as answer:
        assert answer.status == 421
        assert "COORDINATOR_ALLOWED_HOSTS" in (await answer.body())["detail"]
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]


async def test_a_request_without_the_handshake_is_told_what_the_path_is_for(side: Side) -> None:
    async with streaming(side.url, "/ws") as answer:
        assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")
        assert "connect with ws://" in (await answer.body())["detail"]


async def test_a_key_that_was_revoked_begins_no_topic_any_more() -> None:
    """Each look at it comes some seconds after a topic has begun, and who began anew was never looked at."""
    secret = new_secret()
    key = an_api_key("reader", secret, Role.READER)
    keys = KeysInMemory([key])
    ring = KeyRing(keys, apart=0)
    await ring.look()
    header = {"Authorization": f"Bearer {secret}"}
    async with (
        served(authenticator=Authenticator(ring)) as side,
        connected(side, headers=header) as socket,
    ):
        await socket.subscribe("tasks", resume_from=0)
        keys.keys, keys.changes = [], 2
        await ring.look()
        await socket.say("subscribe", topic="tasks", resume_from=0)
        told = await socket.hear()
        assert (told["type"], told["reason"]) == ("stream.end", "not-allowed")
        assert (await socket.closed())[0] == 1008


async def test_roles_count_and_the_key_in_the_query_is_in_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    authenticator, secrets = await authenticator_with(
        reader=(Role.READER,), shop=(Role.PRODUCER,), agent=(Role.AGENT,)
    )
    async with served(authenticator=authenticator, quotas=CallerQuotas(streams=1)) as side:
        for path, status in (("/ws", 401), (f"/ws?token={secrets['agent']}", 403)):
            with pytest.raises(InvalidStatus) as refusal:
                async with connected(side, path):
                    pass
            assert refusal.value.response.status_code == status
            assert json.loads(refusal.value.response.body or b"{}")["detail"]
        async with connected(side, f"/ws?token={secrets['shop']}") as socket:
            with pytest.raises(InvalidStatus) as refusal:
                async with connected(side, f"/ws?token={secrets['shop']}"):
                    pass
            assert refusal.value.response.status_code == 429
            for topic in ("agents", "metrics"):
                await socket.say("subscribe", topic=topic)
                told = await socket.hear()
                assert (told["status"], "needs the role reader" in told["detail"]) == (403, True)
            await socket.subscribe("tasks")
            side.happens(1, submitted_by="key:other")
            side.happens(2, submitted_by="key:shop")
            assert (await socket.hear())["position"] == 2
        header = {"Authorization": f"Bearer {secrets['reader']}"}
        async with connected(side, headers=header) as socket:
            await socket.subscribe("agents")
    ours = [one for one in caplog.records if not one.name.startswith("websockets")]
    assert not any(secret in one.getMessage() for one in ours for secret in secrets.values())

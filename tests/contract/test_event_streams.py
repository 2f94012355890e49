"""`GET /events` over the real server: what is asked for, who may ask, and how a stream ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from coordinator.access.caller_quotas import CallerQuotas
from coordinator.access.roles import Role
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import bind
from tests.support.api_keys import authenticator_with
from tests.support.recorded import recorded
from tests.support.server_sent_events import parsed, streaming
from tests.support.waiting import eventually

from .fakes import Fakes, a_task


class Side:
    """The fakes' application on a socket."""

    def __init__(self, fakes: Fakes, url: str) -> None:
        self.fakes = fakes
        self.url = url
        self.secrets: dict[str, str] = {}

    def happens(self, *positions: int, **fields: Any) -> None:
        self.fakes.events.events += [recorded(one, **fields) for one in positions]
        self.fakes.feed.nudge()

    async def none_open(self) -> None:
        await eventually(lambda: self.fakes.feed.streams == 0)


@contextlib.asynccontextmanager
async def served(**changes: Any) -> AsyncIterator[Side]:
    fakes = Fakes()
    listener = bind("127.0.0.1", 0)
    host, port = listener.getsockname()
    feeding = asyncio.create_task(fakes.feed.run())
    try:
        async with serving(fakes.app(**changes), listener, stopping=fakes.feed.stop):
            yield Side(fakes, f"http://{host}:{port}")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    async with served() as side:
        yield side


async def refused(side: Side, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with streaming(side.url, path, given) as answer:
        return answer.status, await answer.body()


@pytest.mark.parametrize("path", ["/events", "/v1/events"])
async def test_the_answer_begins_at_once_and_says_that_nobody_may_keep_it_back(
    side: Side, path: str
) -> None:
    async with streaming(side.url, path) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["cache-control"] == "no-store, no-transform"
        assert "content-length" not in stream.headers
        opening = await stream.frame()
        assert opening is not None
        assert (opening.comment, opening.id) == ("connected", "0")
        side.happens(1)
        event = await stream.event()
        assert event is not None
        assert (event.position, event.event, event.json["subject"]) == (1, "task.started", "t")
    await side.none_open()


@pytest.mark.parametrize(
    ("path", "headers", "right"),
    [
        ("/events?after=0", {}, [1, 2, 3, 4]),
        ("/events?after=2", {}, [3, 4]),
        ("/events", {"Last-Event-ID": "3"}, [4]),
        ("/events?after=0", {"Last-Event-ID": "2"}, [3, 4]),
        ("/events?after=1", {"Last-Event-ID": ""}, [2, 3, 4]),
        ("/events?after=0&type=task.completed&type=agent.*", {}, [2, 3]),
        ("/events?after=0&task_id=a&task_id=c", {}, [1, 2]),
        ("/events?after=0&agent_id=bob", {}, [4]),
        ("/events?after=0&priority=high&priority=low", {}, [2]),
        ("/events?after=0&state=running", {}, [1]),
        ("/events?after=0&group=g", {}, [4]),
        ("/events?after=0&tag=y&tag=x", {}, [4]),
    ],
)
async def test_what_is_asked_for_comes(
    side: Side, path: str, headers: dict[str, str], right: list[int]
) -> None:
    side.happens(1, subject="a", state="running")
    side.happens(2, kind="task.completed", subject="c", priority="high")
    side.happens(3, kind="agent.registered", subject="ada")
    side.happens(4, subject="d", author="bob", group="g", tags=("x",))
    async with streaming(side.url, path, headers) as stream:
        found = await stream.events(len(right))
        assert [one.position for one in found] == right


@pytest.mark.parametrize(
    ("query", "right"),
    [("", [1, 2, 3]), ("&after=1", [2, 3]), ("&after=3", []), ("&task_id=nobody", [])],
)
async def test_who_does_not_follow_is_answered_what_there_is_and_no_more(
    side: Side, query: str, right: list[int]
) -> None:
    side.happens(1, 2, 3)
    async with streaming(side.url, f"/events?follow=false{query}") as stream:
        *told, end = await stream.events(len(right) + 1)
        assert [one.position for one in told] == right
        assert (end.event, end.position, end.json["reason"]) == ("stream.end", 3, "caught-up")
        assert await stream.frame() is None
    await side.none_open()


@pytest.mark.parametrize(
    ("path", "headers", "status", "sentence"),
    [
        ("/events?after=-1", {}, 422, "after: input should be greater than or equal to 0"),
        ("/events?after=9223372036854775808", {}, 422, "after: "),
        ("/events?after=", {}, 422, "after: "),
        ("/events?follow=sometimes", {}, 422, "follow: "),
        ("/events?task_id=", {}, 422, "task_id.0: "),
        ("/events", {"Last_Event_ID": "abc"}, 422, "Last-Event-ID is 'abc', which is no position"),
        ("/events", {"Last_Event_ID": "-1"}, 422, "Last-Event-ID is '-1'"),
        ("/events", {"Last_Event_ID": "9" * 40}, 422, "Last-Event-ID is '9999"),
        ("/events", {"Last_Event_ID": "0" * 5000}, 422, "Last-Event-ID is '0000"),
        ("/events", {"Last_Event_ID": "0" * 20 + "9" * 20}, 422, "Last-Event-ID is '0000"),
        ("/events?type=task.complete", {}, 422, "did you mean task.completed?"),
        ("/events?type=source.opened", {}, 422, "type.0: 'source.opened' is no type of event: use"),
        ("/events?type=agent.heartbeat", {}, 422, "is no type of event"),
        ("/events?state=done", {}, 422, "state.0: "),
        (
            "/events?priorty=high",
            {},
            422,
            "priorty: there is no such filter here: did you mean priority?",
        ),
        ("/events?" + "&".join(["task_id=t"] * 101), {}, 422, "task_id: "),
        ("/events", {"Accept": "application/json"}, 406, "`Accept` does not take it"),
        ("/events", {"Accept": "text/event-stream;q=0, text/html"}, 406, "`Accept`"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_the_stream_begins(
    side: Side, path: str, headers: dict[str, str], status: int, sentence: str
) -> None:
    found, body = await refused(side, path, **headers)
    assert (found, sentence in body["detail"]) == (status, True), body
    assert side.fakes.feed.streams == 0


@pytest.mark.parametrize("accept", ["*/*", "text/*;q=0.5", "text/html, text/event-stream;q=0.9"])
async def test_a_client_that_takes_a_stream_gets_one(side: Side, accept: str) -> None:
    async with streaming(side.url, "/events", {"Accept": accept}) as stream:
        assert stream.status == 200


async def test_a_head_is_answered_without_a_stream(side: Side) -> None:
    async with streaming(side.url, "/events", method="HEAD") as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
    assert side.fakes.feed.streams == 0


async def test_an_old_client_is_sent_no_chunks_and_hears_the_end_from_the_end_of_the_connection() -> (
    None
):
    async with served() as side:
        side.fakes.tasks["t"] = a_task(task_id="t", state="completed")
        side.happens(1, kind="task.completed", state="completed")
        place = urlsplit(side.url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(f"GET /tasks/t/stream HTTP/1.0\r\nHost: {place.netloc}\r\n\r\n".encode())
        async with asyncio.timeout(20):
            answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition("\r\n\r\n")
    assert "connection: close" in head
    assert "transfer-encoding" not in head
    assert "content-length" not in head
    found = [parsed(text).event for text in body.split("\n\n")]
    assert found == [None, "task.completed", "stream.end", None]


async def test_a_client_that_is_gone_is_no_subscriber_any_more(side: Side) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            stream = await stack.enter_async_context(streaming(side.url, "/events"))
            await stream.frame()
        assert side.fakes.feed.streams == 3
    await side.none_open()


async def test_a_stream_is_ended_in_good_order_when_the_server_stops() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with served() as side:
            stream = await stack.enter_async_context(streaming(side.url, "/events"))
            await stream.frame()
            began = asyncio.get_running_loop().time()
        event = await stream.event()
        assert event is not None
        assert (event.event, event.json["reason"]) == ("stream.end", "stopping")
        assert await stream.event() is None
        # Nothing was waited for, and nothing cut: that is what the server does after three seconds.
        assert asyncio.get_running_loop().time() - began < 3


async def test_only_so_many_streams_are_open_and_the_next_is_told_to_wait() -> None:
    quotas = CallerQuotas(streams=2)
    async with served(quotas=quotas) as side:
        async with streaming(side.url, "/events"), streaming(side.url, "/events"):
            status, body = await refused(side, "/events")
            assert (status, "2 streams are open already" in body["detail"]) == (429, True)
        await side.none_open()
        async with streaming(side.url, "/events") as stream:
            assert stream.status == 200
    async with served() as side, contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(streaming(side.url, "/events"))
        status, body = await refused(side, "/events")
        assert (status, "As many streams" in body["detail"]) == (503, True)


async def test_whoever_does_not_read_is_told_why_it_is_cut_off_and_comes_back_where_it_was(
    side: Side,
) -> None:
    total = 3000  # of which a socket and the queue hold some
    async with streaming(side.url, "/events") as slow:
        await slow.frame()
        for position in range(1, total + 1):
            side.happens(position, data={"text": "x" * 10_000})
            await asyncio.sleep(0)
        await eventually(lambda: side.fakes.feed.head == total)
        seen = 0
        while (event := await slow.event()) is not None and event.event != "stream.end":
            assert event.position == seen + 1
            seen = event.position
        assert event is not None
        assert (event.id, event.json["reason"]) == (None, "too-slow")
        assert await slow.event() is None
    assert seen < total
    async with streaming(side.url, "/events", {"Last-Event-ID": str(seen)}) as again:
        for position in range(seen + 1, total + 1):
            event = await again.event()
            assert event is not None
            assert event.position == position


async def test_a_ledger_that_is_away_is_a_503_before_the_stream_begins(side: Side) -> None:
    side.fakes.events.away = True
    status, _ = await refused(side, "/events")
    assert status == 503
    side.fakes.events.away = False
    async with streaming(side.url, "/events") as stream:
        assert stream.status == 200


@pytest.mark.parametrize("path", ["/events", "/tasks/t/stream"])
async def test_who_comes_back_to_a_ledger_that_is_away_is_told_to_come_again(
    side: Side, path: str
) -> None:
    """A browser never comes back after a 503."""
    side.fakes.tasks["t"] = a_task(task_id="t", state="running")
    side.happens(1, state="running")
    side.fakes.events.away = True
    back = {"Last-Event-ID": "0"}
    async with streaming(side.url, path, back) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = (await answer.reader.readexactly(int(answer.headers["content-length"]))).decode()
        frame = parsed(text.removesuffix("\n\n"))
        assert (frame.id, frame.event, frame.json["reason"]) == (None, "stream.end", "unavailable")
        assert "retry: 2000" in text.splitlines()
    await side.none_open()
    side.fakes.events.away = False
    async with streaming(side.url, path, back) as stream:
        event = await stream.event()
        assert event is not None
        assert event.position == 1


async def test_who_comes_back_while_too_many_are_open_or_the_service_stops_is_told_to_come_again() -> (
    None
):
    back = {"Last-Event-ID": "0"}
    async with served() as side, contextlib.AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(streaming(side.url, "/events"))
        for sentence in ("As many streams", "This process stops"):
            async with streaming(side.url, "/events", back) as answer:
                size = int(answer.headers["content-length"])
                text = (await answer.reader.readexactly(size)).decode()
            assert (answer.status, sentence in text) == (200, True)
            side.fakes.feed.stop()


async def test_a_producer_sees_its_own_tasks_alone_and_a_browser_sends_its_key_in_the_query() -> (
    None
):
    authenticator, secrets = await authenticator_with(
        reader=(Role.READER,), shop=(Role.PRODUCER,), agent=(Role.AGENT,)
    )
    async with served(authenticator=authenticator) as side:
        side.happens(1, kind="agent.registered", subject="ada")
        side.happens(2, submitted_by="key:other")
        side.happens(3, submitted_by="key:shop")
        path = f"/events?after=0&token={secrets['shop']}"
        async with (
            streaming(side.url, path) as own,
            streaming(
                side.url, "/events?after=0", {"Authorization": f"Bearer {secrets['reader']}"}
            ) as all_of_it,
        ):
            assert [one.position for one in await all_of_it.events(3)] == [1, 2, 3]
            side.happens(4)
            side.happens(5, submitted_by="key:shop")
            assert [one.position for one in await own.events(2)] == [3, 5]
        assert (await refused(side, "/events"))[0] == 401
        assert (await refused(side, "/events?token=ackey_wrong"))[0] == 401
        assert (await refused(side, f"/events?token={secrets['agent']}"))[0] == 403
        assert json.dumps(secrets) not in repr(side.fakes.events.events)


async def test_a_task_is_streamed_to_its_end_and_a_browser_that_comes_back_is_told_so() -> None:
    authenticator, secrets = await authenticator_with(shop=(Role.PRODUCER,), other=(Role.PRODUCER,))
    async with served(authenticator=authenticator) as side:
        side.fakes.tasks["t"] = a_task(task_id="t", state="completed", submitted_by="key:shop")
        side.happens(1, kind="task.submitted", state="queued")
        side.happens(2, subject="another", state="running")
        path = f"/tasks/t/stream?token={secrets['shop']}"
        async with streaming(side.url, path) as stream:
            [first] = await stream.events(1)
            assert (first.event, first.position) == ("task.submitted", 1)
            side.happens(3, kind="task.completed", state="completed")
            last, end = await stream.events(2)
            assert (last.event, end.event, end.id) == ("task.completed", "stream.end", "end")
            assert end.json["task"]["task_id"] == "t"
            assert await stream.event() is None
        async with streaming(side.url, path, {"Last-Event-ID": "3"}) as again:
            assert [one.event for one in await again.events(1)] == ["stream.end"]
        async with streaming(side.url, path, {"Last-Event-ID": "end"}) as over:
            assert over.status == 204
        assert (await refused(side, path.replace("/t/", "/unknown/")))[0] == 404
        assert (await refused(side, f"/tasks/t/stream?token={secrets['other']}"))[0] == 403
        assert (await refused(side, path, Accept="application/json"))[0] == 406
        await side.none_open()

"""Serves one WebSocket: takes subscriptions to topics, confirms each, and sends what they bring.

    subscribe ─▶ a cursor of the feed ─▶ event, event, … ─▶ unsubscribe

Partial output is put beside the events of a cursor that wants none, which says when it ends.
Each topic is sent by a task of its own. A client that does not read holds up its own topics alone: they wait
with it, are cut off by the feed, and the connection is closed with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from coordinator.access.roles import Role
from coordinator.errors import CoordinatorError, RoleMissing
from coordinator.streaming.event_cursor import EventCursor
from coordinator.streaming.event_feed import EventFeed
from coordinator.streaming.event_filter import EventFilter
from coordinator.streaming.stream_frames import NOT_ALLOWED, STOPPING, TOO_SLOW, StreamEnd
from coordinator.streaming.streamed_event import MissingEvents, StreamedEvent
from coordinator.streaming.task_stream import TaskItem, TaskItems, as_they_are

from .shared_metrics import SharedMetrics
from .websocket_messages import (
    METRICS,
    OUTPUT,
    Ask,
    Ping,
    Subscribe,
    SubscribePayload,
    Topic,
    confirmed,
    established,
    ignored_keys,
    pong,
    read_message,
    tasks_of_output,
    told_end,
    told_error,
    told_notice,
    types_of,
)

__all__ = ["WebSocketSession"]

_CODES = {STOPPING: 1001, TOO_SLOW: 1013, NOT_ALLOWED: 1008}
"""By which code of RFC 6455 (or the IANA) a connection is closed; 1011 for other reasons."""

_NO_EVENT = frozenset({""})
"""Types that no event has."""

LONGEST_REASON = 120
"""Bytes of the reason in a close frame, which takes 123."""


class WebSocketSession:
    """Lives as long as its connection, which was accepted. ``own`` is whose tasks are told of alone, None for
    all; ``allowed`` is asked now and then whether the credential still counts. ``check_task`` raises a
    `CoordinatorError` for a task that is not known, or another's; ``items`` are told by the topic `output`.
    """

    def __init__(
        self,
        socket: WebSocket,
        *,
        feed: EventFeed,
        metrics: SharedMetrics,
        own: str | None,
        allowed: Callable[[], Awaitable[bool]],
        check_task: Callable[[str], Awaitable[None]],
        items: Sequence[TaskItems] = (),
    ) -> None:
        self._check_task = check_task
        self._items = items
        self._socket = socket
        self._feed = feed
        self._metrics = metrics
        self._own = own
        self._allowed = allowed
        self._topics: dict[Topic, asyncio.Task[None]] = {}
        self._closed = False

    async def run(self, agent_id: str | None) -> None:
        """Until the client hangs up, or is cut off."""
        try:
            await self._send(established(agent_id))
            while True:
                message = await self._socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                await self._take(message.get("text") or "")
        except WebSocketDisconnect:
            return
        finally:
            tasks = list(self._topics.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, text: str) -> None:
        try:
            ask = read_message(text)
            await self._do(ask, ignored_keys(text, ask))
        except CoordinatorError as exc:
            await self._send(told_error(exc))

    async def _do(self, ask: Ask, warning: str | None) -> None:
        if isinstance(ask, Ping):
            await self._send(pong())
        elif isinstance(ask, Subscribe):
            await self._end_topic(ask.payload.topic)
            if await self._allowed():  # also of who begins anew before each look
                await self._begin_topic(ask.payload, warning)
            else:
                await self._cut(ask.payload.topic, NOT_ALLOWED)
        else:
            await self._end_topic(ask.payload.topic)
            await self._send(confirmed("unsubscription", ask.payload.topic, warning=warning))

    async def _begin_topic(self, wish: SubscribePayload, warning: str | None) -> None:
        """Raises a `CoordinatorError`. A topic that is subscribed to already begins anew."""
        if wish.topic == OUTPUT:
            await self._begin_output(tasks_of_output(wish), warning)
            return
        if self._own is not None and wish.topic != "tasks":
            raise RoleMissing(
                f"The topic {wish.topic} needs the role {Role.READER}, which {self._own} does not have",
                role=Role.READER,
            )
        if wish.topic == METRICS:
            await self._send(confirmed("subscription", METRICS, warning=warning))
            self._topics[METRICS] = asyncio.create_task(self._send_metrics())
            return
        wanted = wish.filter.filter(self._own)
        wanted = replace(wanted, types=types_of(wish.topic, wanted.types))
        cursor: EventCursor[Any] = EventCursor(
            self._feed,
            wanted,
            as_they_are,
            after=wish.resume_from,
            allowed=self._allowed,
        )
        await cursor.open()
        told = confirmed("subscription", wish.topic, position=cursor.position, warning=warning)
        self._begin(wish.topic, cursor, self._send_events(wish.topic, cursor, told))

    async def _begin_output(self, task_ids: frozenset[str], warning: str | None) -> None:
        if self._own is not None and not task_ids:
            raise RoleMissing(
                f"The output of all tasks needs the role {Role.READER}, which {self._own} does not have:"
                " name some in filter.task_id",
                role=Role.READER,
            )
        for task_id in sorted(task_ids):
            await self._check_task(task_id)
        wanted = EventFilter(task_ids=task_ids, types=_NO_EVENT)
        cursor: EventCursor[Any] = EventCursor(
            self._feed, wanted, as_they_are, after=None, allowed=self._allowed
        )
        await cursor.open()
        told = confirmed("subscription", OUTPUT, warning=warning)
        self._begin(OUTPUT, cursor, self._send_output(task_ids, cursor, told))

    def _begin(
        self, topic: Topic, cursor: EventCursor[Any], sends: Coroutine[Any, Any, None]
    ) -> None:
        task = asyncio.create_task(sends)
        task.add_done_callback(lambda _: cursor.close())  # also of one that never ran
        self._topics[topic] = task

    async def _end_topic(self, topic: Topic) -> None:
        task = self._topics.pop(topic, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _send_events(self, topic: Topic, cursor: EventCursor[Any], confirmation: str) -> None:
        with suppress(WebSocketDisconnect):
            await self._send(confirmation)
            if cursor.ahead_of is not None:
                facts = {"until": cursor.ahead_of}
                await self._send(told_notice("stream.reset", topic, facts))
            async for items in cursor.batches():
                for item in items:
                    await self._send_item(topic, item)
            await self._cut(topic, cursor.ended)

    async def _send_item(self, topic: Topic, item: StreamedEvent | MissingEvents) -> None:
        if isinstance(item, MissingEvents):
            text: str | None = told_notice("stream.incomplete", topic, item.facts)
        else:
            text = item.message
        if text is not None:
            await self._send(text)

    async def _send_output(
        self, task_ids: frozenset[str], cursor: EventCursor[Any], confirmation: str
    ) -> None:
        with suppress(WebSocketDisconnect), ExitStack() as watching:
            await self._send(confirmation)
            unwatched: list[str | None] = [*sorted(task_ids)] or [None]
            async for items in cursor.batches():
                for item in items:
                    if not isinstance(item, MissingEvents) and item.message is not None:
                        await self._send(item.message)
                live = cursor.subscription
                # One after the other: what is kept of all of them may be more than may wait for a client.
                while unwatched and live is not None and live.drained:
                    self._watch(unwatched.pop(0), watching, live.put)
            await self._cut(OUTPUT, cursor.ended)

    def _watch(
        self,
        task_id: str | None,
        watching: ExitStack,
        put: Callable[[Sequence[TaskItem], int], None],
    ) -> None:
        """One task, or all."""
        for one in self._items:
            if task_id is None:
                watching.enter_context(one.watched_all(put))
            else:
                watching.enter_context(one.watched(task_id, put))

    async def _send_metrics(self) -> None:
        with suppress(WebSocketDisconnect):
            async for text in self._metrics.texts():
                if not await self._allowed():
                    await self._cut(METRICS, NOT_ALLOWED)
                    return
                await self._send(text)

    async def _send(self, text: str) -> None:
        """Raises `WebSocketDisconnect` where nothing can be sent any more."""
        if self._closed:
            raise WebSocketDisconnect
        await self._socket.send_text(text)

    async def _cut(self, topic: Topic, why: StreamEnd) -> None:
        await self._send(told_end(topic, why))
        self._closed = True
        await self._socket.close(_CODES.get(why, 1011), why.detail[:LONGEST_REASON])

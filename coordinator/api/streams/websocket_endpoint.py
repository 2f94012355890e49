"""Streams events, statistics and partial output over a WebSocket: `/ws`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from coordinator.api.access_control.caller import caller_of, still_counts_of
from coordinator.api.access_control.endpoint_roles import check_role
from coordinator.api.access_control.own_things import check_submitter, only_own
from coordinator.api.endpoint_services import EndpointServices
from coordinator.api.error_table import answer_error
from coordinator.api.wire.task_statistics import totals_shape
from coordinator.errors import CoordinatorError
from coordinator.registry.queries.queue_sizes import by_priority
from coordinator.streaming.subscriber_counts import StreamKind

from .opened_stream import counted_stream
from .shared_metrics import SharedMetrics
from .websocket_messages import told_metrics
from .websocket_session import WebSocketSession

__all__ = ["PATH", "add_websocket"]

PATH = "/ws"

_UPGRADE = "This path is for WebSocket: connect with ws:// (or wss://), or use GET /events"


def add_websocket(app: FastAPI, services: EndpointServices, prefixes: Iterable[str]) -> None:
    """Below each of the ``prefixes``. It is in no OpenAPI document, which has no words for it."""

    async def measure() -> str:
        depths = await services.queue_sizes.look()
        totals = await services.registry.statistics()
        return told_metrics(totals_shape(totals, by_priority(depths)))

    metrics = SharedMetrics(measure)

    async def subscribe(socket: WebSocket) -> None:
        caller = caller_of(socket.scope)
        with ExitStack() as opened:
            try:
                check_role("subscribe", caller)
                opened.enter_context(counted_stream(socket.scope, services, StreamKind.WEBSOCKET))
            except CoordinatorError as exc:
                await answer_error(exc, "subscribe")(socket.scope, socket.receive, socket.send)
                return

            async def check_task(task_id: str) -> None:
                task = await services.registry.task(task_id)
                check_submitter("subscribe", caller, task.submitted_by)

            await socket.accept()
            session = WebSocketSession(
                socket,
                feed=services.feed,
                metrics=metrics,
                own=only_own("subscribe", caller),
                allowed=still_counts_of(socket.scope),
                check_task=check_task,
                items=services.task_items,
            )
            await session.run(caller.agent_id)

    for prefix in prefixes:
        app.router.add_websocket_route(f"{prefix}{PATH}", subscribe)
        app.router.add_route(f"{prefix}{PATH}", _upgrade_required, include_in_schema=False)


async def _upgrade_required(_: Request) -> Response:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return answer_error(HTTPException(426, _UPGRADE, headers), "")

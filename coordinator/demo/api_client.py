"""Calls the HTTP API for the demo, by the Python client; each error is one line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from types import TracebackType
from typing import Self

import httpx

from coordinator.client import (
    ONCE,
    AsyncClient,
    ClientError,
    Misconfigured,
    NotACoordinator,
    NotAuthenticated,
    NotSent,
    Retries,
    RoleMissing,
    Task,
    TaskStreamItem,
)
from coordinator.client.calls import event_streams
from coordinator.client.exchange.programs import Circumstances
from coordinator.errors import OperatorError
from coordinator.protocol.requirements import Profile

from .demo_tasks import Order

__all__ = ["ApiClient"]

PATIENT = Retries(total_seconds=15.0, while_unreachable=False)

_WORKING = frozenset({"active", "busy"})


class ApiClient:
    """Talks to one coordinator; every failure is an `OperatorError` with a sentence, a wrong address as
    soon as it is made. Who watches a demo is told at once where nobody answers; where the service asks to
    wait, it is waited for.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``key`` is an API key or a JWT, for a service that asks for one."""
        self._base_url = base_url
        self._has_key = key is not None
        with self._in_one_line():
            self._client = AsyncClient(
                base_url, key=key or "", retries=PATIENT, transport=transport
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def health(self) -> None:
        """Make sure that this is a coordinator."""
        with self._in_one_line():
            await self._client.health()

    async def agents(self) -> list[Profile]:
        """Those that take work now, from the broker: one that speaks HTTP alone takes none."""
        with self._in_one_line():
            found = await self._client.discover()
        return [
            Profile(
                agent_id=agent.agent_id,
                agent_type=agent.agent_type,
                capabilities=frozenset(agent.capabilities),
                services=frozenset(agent.services),
                task_types=frozenset(agent.task_types) if agent.task_types else None,
            )
            for agent in found
            if agent.status in _WORKING and agent.listening
        ]

    async def submit(self, order: Order) -> str:
        """The id of the accepted task."""
        with self._in_one_line():
            handle = await self._client.submit(
                order.work.task_data,
                priority=order.priority.value,
                requirements=order.work.requirements.as_dict(),
            )
        return handle.task_id

    async def task(self, task_id: str) -> Task:
        """The task as it stands."""
        with self._in_one_line():
            return await self._client.task(task_id)

    async def stream(self, task_id: str) -> AsyncIterator[TaskStreamItem]:
        """Each thing that the stream of the task tells, up to its end; it is not opened again."""
        with self._in_one_line():
            once = Circumstances(retries=ONCE)
            stream = self._client.items(event_streams.task_stream(task_id, once))
            async with aclosing(stream) as told:
                async for item in told:
                    yield item

    @contextmanager
    def _in_one_line(self) -> Iterator[None]:
        try:
            yield
        except ClientError as exc:
            raise OperatorError(self._sentence(exc)) from exc

    def _sentence(self, exc: ClientError) -> str:
        said = str(exc)
        match exc:
            case Misconfigured() if not said.startswith(
                ("The key", "The certificate", "The TLS", "The CAs")
            ):
                said = f"--url {said.removeprefix('The address ')}"
            case NotSent():
                said = f"{said}: start one with `make run` or `coordinator up`, or name another with --url"
            case NotACoordinator():
                said = f"What answers at {self._base_url} is not a coordinator's API"
            case NotAuthenticated() if self._has_key:
                said = (
                    f"The coordinator at {self._base_url} does not know this key, or it has ended:"
                    f" `coordinator keys list` tells which count. {_HOW}"
                )
            case NotAuthenticated():
                said = f"The coordinator at {self._base_url} asks for a key. {_HOW}"
            case RoleMissing():
                said = f"This key may not {exc.request}: {exc.detail} {_HOW}"
        return said


_HOW = (
    "Give one of the roles reader and producer in COORDINATOR_KEY, or in a file with --key-file: `coordinator"
    " keys create --name demo --role reader --role producer` makes it."
)

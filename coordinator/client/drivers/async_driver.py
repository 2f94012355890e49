"""Runs programs in an event loop, over `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeVar

import httpx

from coordinator.client.errors import AnswerLost, NotReached
from coordinator.client.exchange.http_messages import ApiAnswer
from coordinator.client.exchange.programs import (
    Emit,
    Exchange,
    HangUp,
    Listen,
    NextPiece,
    Pause,
    Program,
    Step,
)

from .client_options import ClientOptions
from .connection_options import (
    answer_of,
    bear_silence,
    connection_options,
    request_options,
)
from .http_failures import as_errors_of_the_tree, too_large
from .program_run import ProgramRun

__all__ = ["AsyncDriver"]

Result = TypeVar("Result")


class AsyncDriver:
    """Has the connections. Several tasks of one event loop may run programs at once."""

    def __init__(
        self, options: ClientOptions, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._options = options
        self._http = httpx.AsyncClient(**connection_options(options), transport=transport)

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, program: Program[Result]) -> Result:
        """What it returns. Raises what it raises."""
        run = ProgramRun(program)
        async with aclosing(self._items(run)) as items:
            async for _ in items:
                pass
        return run.result

    def items(self, program: Program[None]) -> AsyncGenerator[Any, None]:
        """What it emits, as it does so. To stop earlier, close the iterator: `contextlib.aclosing`."""
        return self._items(ProgramRun(program))

    async def _items(self, run: ProgramRun[Any]) -> AsyncGenerator[Any, None]:
        line = _Line(self._http, self._options)
        try:
            while (step := run.step()) is not None:
                if isinstance(step, Emit):
                    yield step.item
                    continue
                try:
                    run.outcome = await line.do(step)
                except NotReached as lost:
                    run.outcome = lost
        finally:
            await line.hang_up()
            run.close()


class _Line:
    """Does the steps of one program, and holds its open stream."""

    def __init__(self, http: httpx.AsyncClient, options: ClientOptions) -> None:
        self._http = http
        self._base_url = options.base_url
        self._largest = options.largest_answer
        self._open = AsyncExitStack()
        self._pieces: AsyncIterator[bytes] | None = None
        self._until: float | None = None

    async def do(self, step: Step) -> Any:
        match step:
            case Exchange():
                return await self._exchange(step)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Listen():
                return await self._listen(step)
            case NextPiece():
                return await self._piece()
            case HangUp():
                await self.hang_up()
        return None

    async def hang_up(self) -> None:
        self._pieces = None
        await self._open.aclose()

    async def _exchange(self, step: Exchange) -> ApiAnswer:
        asked = request_options(step.request, self._base_url, within=step.within)
        with as_errors_of_the_tree(self._base_url):
            async with self._http.stream(**asked) as response:
                return answer_of(response, await self._read(response))

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._largest:
                raise too_large(self._base_url)
        return bytes(body)

    async def _listen(self, step: Listen) -> ApiAnswer:
        asked = request_options(step.request, self._base_url, within=step.within)
        asked["headers"]["Accept"] = "text/event-stream"
        with as_errors_of_the_tree(self._base_url):
            async with AsyncExitStack() as opened:
                response = await opened.enter_async_context(self._http.stream(**asked))
                if response.status_code != httpx.codes.OK:
                    return answer_of(response, await self._read(response))
                bear_silence(response, step.silence)
                self._until = None
                if step.at_most is not None:
                    self._until = asyncio.get_running_loop().time() + step.at_most
                self._pieces = response.aiter_bytes()
                self._open = opened.pop_all()
        return answer_of(response, b"")

    async def _piece(self) -> bytes | None:
        if self._pieces is None:
            return None
        try:
            async with asyncio.timeout_at(self._until):
                with as_errors_of_the_tree(self._base_url):
                    return await anext(self._pieces, None)
        except TimeoutError:
            raise AnswerLost("The time for which the stream was followed is over") from None

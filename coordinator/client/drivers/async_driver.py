"""Runs programs in an event loop, over `httpx.AsyncClient`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any, NoReturn, TypeVar

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
    CLOSED,
    NOT_PICKLED,
    answer_of,
    bear_silence,
    connection_options,
    request_options,
)
from .http_failures import as_errors_of_the_tree, too_large, too_slow
from .program_run import ProgramRun

__all__ = ["AsyncDriver"]

Result = TypeVar("Result")


class AsyncDriver:
    """Has the connections, each event loop its own: one belongs to the loop in which it was opened. Several
    tasks of a loop may run programs at once.
    """

    def __init__(
        self, options: ClientOptions, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._options = options
        self._made_with = {**connection_options(options), "transport": transport}
        self._by_loop: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    async def close(self) -> None:
        """Those of other loops that run go on until what they do is done."""
        self._closed = True
        await self._of_this_loop().aclose()
        self._by_loop.clear()

    def _of_this_loop(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._by_loop:
            for ended in [one for one in list(self._by_loop) if one.is_closed()]:
                self._by_loop.pop(ended, None)
            self._by_loop[loop] = httpx.AsyncClient(**self._made_with)
        return self._by_loop[loop]

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
        if self._closed:
            raise RuntimeError(CLOSED)
        line = _Line(self._of_this_loop(), self._options)
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
                return answer_of(response, await self._read(response, step.at_most))

    async def _read(self, response: httpx.Response, at_most: float | None = None) -> bytes:
        body = bytearray()
        until = math.inf if at_most is None else time.monotonic() + at_most
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._largest:
                raise too_large(self._base_url)
            if time.monotonic() > until:
                raise too_slow(self._base_url)
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

"""Runs programs by blocking the thread that calls, over `httpx.Client`."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from threading import TIMEOUT_MAX, Timer
from typing import Any, NoReturn, TypeVar

import httpx

from coordinator.client.errors import NotReached
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

__all__ = ["BlockingDriver"]

Result = TypeVar("Result")


class BlockingDriver:
    """Has the connections. Several threads may run programs at once. A process that was forked opens its own:
    two on one connection would read each other's answers.
    """

    def __init__(
        self, options: ClientOptions, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._options = options
        self._made_with = {**connection_options(options), "transport": transport}
        self._http = httpx.Client(**self._made_with)
        self._process = os.getpid()
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def close(self) -> None:
        self._closed = True
        self._of_this_process().close()

    def _of_this_process(self) -> httpx.Client:
        if self._process != os.getpid():
            # What was there is left as it is: a thread of the parent may have had its locks.
            self._http, self._process = httpx.Client(**self._made_with), os.getpid()
        return self._http

    def run(self, program: Program[Result]) -> Result:
        """What it returns. Raises what it raises."""
        run = ProgramRun(program)
        for _ in self._items(run):
            pass
        return run.result

    def items(self, program: Program[None]) -> Generator[Any, None, None]:
        """What it emits, as it does so. To stop earlier, close the iterator."""
        return self._items(ProgramRun(program))

    def _items(self, run: ProgramRun[Any]) -> Generator[Any, None, None]:
        if self._closed:
            raise RuntimeError(CLOSED)
        line = _Line(self._of_this_process(), self._options)
        try:
            while (step := run.step()) is not None:
                if isinstance(step, Emit):
                    yield step.item
                    continue
                try:
                    run.outcome = line.do(step)
                except NotReached as lost:
                    run.outcome = lost
        finally:
            line.hang_up()
            run.close()


class _Line:
    """Does the steps of one program, and holds its open stream."""

    def __init__(self, http: httpx.Client, options: ClientOptions) -> None:
        self._http = http
        self._base_url = options.base_url
        self._largest = options.largest_answer
        self._open = ExitStack()
        self._pieces: Iterator[bytes] = iter(())

    def do(self, step: Step) -> Any:
        match step:
            case Exchange():
                return self._exchange(step)
            case Pause(seconds):
                time.sleep(seconds)
            case Listen():
                return self._listen(step)
            case NextPiece():
                with as_errors_of_the_tree(self._base_url):
                    return next(self._pieces, None)
            case HangUp():
                self.hang_up()
        return None

    def hang_up(self) -> None:
        self._open.close()
        self._pieces = iter(())

    def _exchange(self, step: Exchange) -> ApiAnswer:
        asked = request_options(step.request, self._base_url, within=step.within)
        with as_errors_of_the_tree(self._base_url), self._http.stream(**asked) as response:
            return answer_of(response, self._read(response, step.at_most))

    def _read(self, response: httpx.Response, at_most: float | None = None) -> bytes:
        body = bytearray()
        until = math.inf if at_most is None else time.monotonic() + at_most
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._largest:
                raise too_large(self._base_url)
            if time.monotonic() > until:
                raise too_slow(self._base_url)
        return bytes(body)

    def _listen(self, step: Listen) -> ApiAnswer:
        asked = request_options(step.request, self._base_url, within=step.within)
        asked["headers"]["Accept"] = "text/event-stream"
        with as_errors_of_the_tree(self._base_url), ExitStack() as opened:
            response = opened.enter_context(self._http.stream(**asked))
            if response.status_code != httpx.codes.OK:
                return answer_of(response, self._read(response))
            bear_silence(response, step.silence)
            if step.at_most is not None:
                opened.callback(_cut_after(step.at_most, response).cancel)
            self._pieces = response.iter_bytes()
            self._open = opened.pop_all()
        return answer_of(response, b"")


def _cut_after(seconds: float, response: httpx.Response) -> Timer:
    """Nothing else ends a read that blocks before its own time-out, which counts from the last byte."""

    def cut() -> None:
        stream = response.extensions.get("network_stream")
        found = None if stream is None else stream.get_extra_info("socket")
        if found is not None:
            try:
                # That of the plain socket: the one of TLS would change what the reader has in hand.
                socket.socket.shutdown(found, socket.SHUT_RDWR)
            except OSError:  # it is closed
                return

    timer = Timer(min(seconds, TIMEOUT_MAX), cut)
    timer.daemon = True
    timer.start()
    return timer

"""Ends an HTTP exchange by its deadline, however slowly the other side sends: the time-out of a socket is for
each read alone.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from socket import socket
from typing import Any, cast
from urllib.request import HTTPHandler, HTTPSHandler, Request

__all__ = ["Deadline", "deadline_handlers"]


class Deadline:
    """Passes ``seconds`` after it was made. ``monotonic``: a clock in seconds that is never set."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._at = monotonic() + seconds

    def left(self) -> float:
        """Seconds. Raises `TimeoutError` where there are none."""
        left = self._at - self._monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer took more than {self._seconds:g} s")
        return left


def deadline_handlers(deadline: Deadline) -> tuple[HTTPHandler, HTTPSHandler]:
    """For `urllib.request.build_opener`: each read waits as long as the request says, and no longer than the
    deadline.
    """
    return _Http(deadline), _Https(deadline)


class _Http(HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPConnection, self._deadline), req)


class _Https(HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPSConnection, self._deadline), req)


def _connection(
    kind: type[HTTPConnection], deadline: Deadline, host: str, *, timeout: float, **more: Any
) -> HTTPConnection:
    connection = kind(host, timeout=min(timeout, deadline.left()), **more)
    response = partial(_response, deadline=deadline, each=timeout)
    connection.response_class = cast("type[HTTPResponse]", response)
    return connection


def _response(sock: socket, *, deadline: Deadline, each: float, **more: Any) -> HTTPResponse:
    return HTTPResponse(cast("socket", _Readable(sock, deadline, each)), **more)


class _Readable:
    """As much of a socket as a response reads from."""

    def __init__(self, sock: socket, deadline: Deadline, each: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._each = each

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReads(self._sock, self._deadline, self._each))


class _TimedReads(io.RawIOBase):
    """What a socket receives; each read has ``each`` seconds, or what is left where that is less."""

    def __init__(self, sock: socket, deadline: Deadline, each: float) -> None:
        self._sock = sock
        self._received = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self._each = each

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(min(self._each, self._deadline.left()))
        try:
            return self._received.readinto(buffer)
        except TimeoutError:
            self._deadline.left()  # says so where it was that one
            raise

    def close(self) -> None:
        self._received.close()
        super().close()

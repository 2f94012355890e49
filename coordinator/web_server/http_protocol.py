"""Reads HTTP from a connection: uvicorn's protocol on httptools, with what that one gets wrong put right.

An offer of another protocol (`Upgrade: h2c`, as Java's client and `curl --http2` send it with every first
request) is ignored, as RFC 9110 allows; but for WebSocket, where there is one, which `websocket_protocol`
speaks from then on. httptools takes whatever follows such a head for the other protocol: the body would be
lost, and the next request read out of it. So the head is read once more without the offer, by a parser of its
own. A request without an offer costs two questions more.

What a client owes is bounded (`ConnectionBounds`). Nothing of that costs a request that comes in one piece
more than a few comparisons: no timer is set, and its head is measured only where it may be too large.

Bytes that follow a request and are no request are most likely its body, whose length was not told. Such a
request is refused where it has not begun; uvicorn carries it out as one that has no body.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import Any

import httptools
from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from coordinator.api import NotesError
from coordinator.api.error_bodies import refusal_shape
from coordinator.api.streams.stream_answer import ENDLESS

from .connection_bounds import ConnectionBounds
from .connection_draining import Draining
from .request_target import with_host_of_target
from .unframed_answer import unframed
from .unread_answer import UnreadAnswer

__all__ = ["HttpProtocol"]

_OF_THE_OFFER = (b"upgrade", b"http2-settings")
"""Headers, and words of the header `Connection`."""

_NO_REQUEST = "This is not a request of HTTP/1.1 that can be read"

_NOT_DONE = (
    "Nothing was done, because what follows the request is not another one that can be read: a body needs a"
    " Content-Length, or Transfer-Encoding: chunked"
)


_HEAD_TOO_LARGE = (
    "Request line and headers are larger than {} bytes: and what is large goes into a body"
)

_HEAD_LATE = "No whole request came within {:g} seconds: send it again"

_BODY_LATE = (
    "Nothing was done, because nothing more of the body came for {:g} seconds: send it again"
)

_TOO_MANY = (
    "As many connections are open as this process may have ({}): try again shortly, and keep one open for"
    " several requests"
)


WEBSOCKET_PATH = b"/ws"
"""How paths end that may be asked for by WebSocket; elsewhere that is an offer like any other."""


class Owed(enum.Enum):
    """Tells what the client has to send next."""

    FIRST_BYTE = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    NEXT_HEAD = enum.auto()
    """Of a further request. Until its first byte the connection is idle; empty lines begin none."""
    END = enum.auto()
    """It was told why nothing more is read, and is to hang up."""


class HttpProtocol(HttpToolsProtocol):
    """Reads the requests of one connection. They are answered one after the other, also those of a client
    that has closed its side after them.
    """

    def __init__(
        self,
        *args: Any,
        bounds: ConnectionBounds,
        draining: Draining,
        note_error: NotesError | None = None,
        **kwargs: Any,
    ) -> None:
        """``note_error`` is told of the answers that are given here."""
        super().__init__(*args, **kwargs)
        self._bounds = bounds
        self._draining = draining
        self._note_error = note_error
        self._owed: Owed | None = Owed.FIRST_BYTE
        """None while the server is the one to act."""
        self._since = 0.0
        """When that began to be owed, or came forward, in seconds of the loop's clock."""
        self._in_body = False
        self._piece = 0
        """Bytes of the present piece."""
        self._moved = False
        """Whether a head or some of a body ended in the present piece."""
        self._beside = 0
        """Bytes that came since then: of an unfinished head, or of what is around a body."""
        self._head_too_large = False
        self._unread = UnreadAnswer(bounds.answer_seconds)
        self.parser = httptools.HttpRequestParser(self)
        """Refuses what follows a `Connection: close`."""
        self._before: Any = None
        """The last request of those that came before the present piece."""
        self._begun: list[Any] = []
        """The requests whose heads are in the present piece; none of them runs before it was read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self._bounds.connections:
            self._answer_and_close(503, _TOO_MANY.format(self._bounds.connections))

    def data_received(self, data: bytes) -> None:
        if self._owed is Owed.END:
            return
        self._before, self._begun = self.cycle, []
        self._piece, self._moved = len(data), False
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self._asks_for_websocket():
                    self._hand_over(data[offer.args[0] :])
                    return
                self._read_past_offers(data, offer)
        except httptools.HttpParserError:
            self._end_with_what_is_no_request()
            return
        if self._moved and not self._in_body and self._is_answering():
            self._owed, self._beside = None, 0  # whole requests came: the usual case
        else:
            self._see_what_is_owed()

    def _asks_for_websocket(self) -> bool:
        """Whether the head that has just ended is an opening handshake for a path that has WebSocket, and all
        requests before it were answered.
        """
        offers = [value.strip().lower() for name, value in self.headers if name == b"upgrade"]
        path = self.url.partition(b"?")[0]
        cycle: Any = self.cycle
        return (
            offers == [b"websocket"]
            and path.startswith(b"/")
            and path.endswith(WEBSOCKET_PATH)
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and not self._head_too_large
            and (cycle is None or cycle.response_complete)
        )

    def _hand_over(self, rest: bytes) -> None:
        """To the protocol that answers the handshake, with what the client has sent after it."""
        from .websocket_protocol import WebSocketProtocol  # noqa: PLC0415 - loads much, for few

        self._owed = None
        self.connections.discard(self)
        lines = [b"GET %b HTTP/1.1" % self.url]
        lines += [b"%b: %b" % header for header in self.headers]
        protocol = WebSocketProtocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.app_state,
            bounds=self._bounds,
        )
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.data_received(b"\r\n".join([*lines, b"", b""]) + rest)

    def _read_past_offers(self, data: bytes, offer: httptools.HttpParserUpgrade) -> None:
        """Each round takes at least one whole head from ``data``. Raises `HttpParserError`."""
        while True:
            data = data[offer.args[0] :]
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(head)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as further:
                offer = further
            else:
                return

    def on_headers_complete(self) -> None:
        if self._beside + self._piece > self._bounds.head_bytes:
            self._measure_head()
        if not self.parser.should_upgrade():
            if not self.url.startswith(b"/"):
                version = self.parser.get_http_version()
                self.url = with_host_of_target(self.url, version, self.headers)
            super().on_headers_complete()
            cycle: Any = self.cycle
            if self._draining.begun:
                cycle.keep_alive = False
            if self.parser.get_http_version() == "1.0":
                cycle.send = unframed(cycle)  # it does not run before this piece was read
            self._begun.append(cycle)
            self.headers = []  # for what may follow the body: it is not of the head
            self._moved = self._in_body = True
        elif self.parser.get_method() == b"CONNECT":
            raise ValueError("no proxy")  # answered as what cannot be read

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._in_body = False
            super().on_message_complete()

    def _measure_head(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._bounds.head_bytes:
            self._head_too_large = True
            raise ValueError("too large")  # answered as what cannot be read

    def _see_what_is_owed(self) -> None:
        """Once a piece was read."""
        if self._moved:
            self._beside = 0
        else:
            self._beside += self._piece
            if self._beside > self._bounds.head_bytes:
                self._head_too_large = True
                self._end_with_what_is_no_request()
                return
        owed = self._is_owed()
        if owed is not self._owed or (owed is not None and self._comes_forward()):
            self._owed, self._since = owed, self.loop.time()

    def _is_answering(self) -> bool:
        """Whether the last head that began is whole, and its request not answered yet."""
        cycle: Any = self.cycle
        # Each head begins another scope.
        return cycle is not None and self.scope is cycle.scope and not cycle.response_complete

    def _is_owed(self) -> Owed | None:
        scope: Any = self.scope
        if self._in_body:
            return Owed.BODY
        if scope is None:
            return Owed.FIRST_BYTE
        if self._is_answering():
            return None
        cycle: Any = self.cycle
        return Owed.HEAD if cycle is None or scope is not cycle.scope else Owed.NEXT_HEAD

    def _comes_forward(self) -> bool:
        """A head has its time as a whole, and so has a body that was answered before its end."""
        if self._owed is Owed.BODY:
            return self._moved and not self.cycle.response_complete
        return self._moved and self._owed is Owed.HEAD  # that of a further request

    def on_response_complete(self) -> None:
        """As uvicorn has it, but without a timer for each answer: idle connections are ended together with
        those that are overdue.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._owed is None:
            self._owed, self._since = Owed.NEXT_HEAD, self.loop.time()

    def end_if_overdue(self, now: float) -> None:
        """End the connection where its client is late; ``now`` is of the loop's clock."""
        if self._unread.is_overdue(self.transport.get_write_buffer_size(), now):
            self.transport.abort()
        elif self._owed is not None and not self.transport.is_closing():
            self._end_if_it_owes(self._owed, now)

    def _end_if_it_owes(self, owed: Owed, now: float) -> None:
        cycle: Any = self.cycle
        answered = cycle is None or cycle.response_complete
        match owed:
            case Owed.BODY if self.flow.read_paused and not answered:
                self._since = now  # it is not the client that keeps it back
            case Owed.BODY if now - self._since >= self._bounds.body_seconds:
                if cycle.response_started:
                    self.transport.close()
                    return
                cycle.disconnected = True
                cycle.message_event.set()
                self._answer_and_close(408, _BODY_LATE.format(self._bounds.body_seconds))
            case Owed.NEXT_HEAD if now - self._since >= self._bounds.idle_seconds:
                self.transport.close()
            case Owed.END if now - self._since >= self._bounds.head_seconds:
                self.transport.close()
            case Owed.FIRST_BYTE | Owed.HEAD if now - self._since >= self._bounds.head_seconds:
                if answered:  # else what runs is answered first
                    self._answer_and_close(408, _HEAD_LATE.format(self._bounds.head_seconds))
            case _:
                pass

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio has it
        """The client sends nothing more. It is answered if it has sent whole requests, but not by a stream:
        most who close one side of it have closed both, and would be written to until that is noticed.
        """
        cycle: Any = None if self._owed is Owed.END else self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return None
        if ENDLESS in cycle.scope["state"]:
            return None
        cycle.keep_alive = False
        return True

    def shutdown(self) -> None:
        if self._owed is Owed.END:
            self.transport.close()
        else:
            super().shutdown()

    def _end_with_what_is_no_request(self) -> None:
        """Requests that came earlier are answered first, and are the last ones."""
        for cycle in self._begun:
            cycle.disconnected = True
        self.pipeline = deque(one for one in self.pipeline if one[0] not in self._begun)
        before = self._before
        if before is not None and not before.response_complete and not before.more_body:
            before.keep_alive = False
            self.cycle = before
        elif self._head_too_large:
            self._answer(431, _HEAD_TOO_LARGE.format(self._bounds.head_bytes))
            self._read_no_more()
        else:
            self._answer(400, _NOT_DONE if self._begun else _NO_REQUEST)
            self._read_no_more()

    def _read_no_more(self) -> None:
        """Close this side, and leave the other to the client for a while: were the connection closed while
        it sends, its own system would throw the answer away.
        """
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write_eof()
        self._owed, self._since = Owed.END, self.loop.time()

    def _answer_and_close(self, status: int, sentence: str) -> None:
        self._answer(status, sentence)
        self.transport.close()

    def _answer(self, status: int, sentence: str) -> None:
        """As every error of the API."""
        if self._note_error is not None:
            self._note_error(status)
        body = to_json(refusal_shape(status, sentence))
        head = [
            STATUS_LINE[status],
            *(b"%b: %b\r\n" % header for header in self.server_state.default_headers),
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"retry-after: 1\r\n" if status == 503 else b"",
            b"connection: close\r\n\r\n",
        ]
        self.transport.write(b"".join([*head, body]))

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                words = (word.strip() for word in value.split(b","))
                value = b", ".join(word for word in words if word.lower() not in _OF_THE_OFFER)  # noqa: PLW2901
            if name not in _OF_THE_OFFER:
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

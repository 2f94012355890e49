"""Reads HTTP from a connection: uvicorn's protocol on httptools, with what that one gets wrong put right.

An offer of another protocol (`Upgrade: h2c`, as Java's client and `curl --http2` send it with every first
request) is ignored, as RFC 9110 allows. httptools takes whatever follows such a head for the other
protocol: the body would be lost, and the next request read out of it. So the head is read once more
without the offer, by a parser of its own. A request without an offer costs two questions more.

Bytes that follow a request and are no request are most likely its body, whose length was not told. Such a
request is refused where it has not begun; uvicorn carries it out as one that has no body.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import httptools
from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["HttpProtocol"]

_OF_THE_OFFER = (b"upgrade", b"http2-settings")
"""Headers, and words of the header `Connection`."""

_NO_REQUEST = "This is not a request of HTTP/1.1 that can be read"

_NOT_DONE = (
    "Nothing was done, because what follows the request is not another one that can be read: a body needs a"
    " Content-Length, or Transfer-Encoding: chunked"
)


class HttpProtocol(HttpToolsProtocol):
    """Reads the requests of one connection. They are answered one after the other, also those of a client
    that has closed its side after them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = httptools.HttpRequestParser(
            self
        )  # refuses what follows a `Connection: close`
        self._before: Any = None
        """The last request of those that came before the present piece."""
        self._begun: list[Any] = []
        """The requests whose heads are in the present piece; none of them runs before it was read."""

    def data_received(self, data: bytes) -> None:
        """Each round takes at least one whole head from ``data``."""
        self._unset_keepalive_if_required()
        self._before, self._begun = self.cycle, []
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
            except httptools.HttpParserError:
                self._end_with_what_is_no_request()
                return
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.feed_data(head)

    def on_headers_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self._begun.append(self.cycle)
            self.headers = []  # for what may follow the body: it is not of the head
        elif self.parser.get_method() == b"CONNECT":
            raise ValueError("no proxy")  # answered as what cannot be read

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def eof_received(self) -> bool | None:  # type: ignore[override]  # as asyncio has it
        """The client sends nothing more. It is answered if it has sent whole requests."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return None
        cycle.keep_alive = False
        return True

    def _end_with_what_is_no_request(self) -> None:
        """Requests that came earlier are answered first, and are the last ones."""
        for cycle in self._begun:
            cycle.disconnected = True
        self.pipeline = deque(one for one in self.pipeline if one[0] not in self._begun)
        before = self._before
        if before is not None and not before.response_complete and not before.more_body:
            before.keep_alive = False
            self.cycle = before
        else:
            self.send_400_response(_NOT_DONE if self._begun else _NO_REQUEST)

    def send_400_response(self, msg: str) -> None:
        """As every error of the API, with a `detail`."""
        body = to_json({"detail": msg})
        head = [
            STATUS_LINE[400],
            *(b"%b: %b\r\n" % header for header in self.server_state.default_headers),
            b"content-type: application/json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"connection: close\r\n\r\n",
        ]
        self.transport.write(b"".join([*head, body]))
        self.transport.close()

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

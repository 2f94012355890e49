"""Reads HTTP from a connection: uvicorn's protocol on httptools, with what that one gets wrong put right.

An offer of another protocol (`Upgrade: h2c`, as Java's client and `curl --http2` send it with every first
request) is ignored, as RFC 9110 allows. httptools takes whatever follows such a head for the other
protocol: the body would be lost, and the next request read out of it. So the head is read once more
without the offer, by a parser of its own. A request without an offer costs two questions more.
"""

from __future__ import annotations

from typing import Any

import httptools
from pydantic_core import to_json
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

__all__ = ["HttpProtocol"]

_OF_THE_OFFER = (b"upgrade", b"http2-settings")
"""Headers, and words of the header `Connection`."""


class HttpProtocol(HttpToolsProtocol):
    """One connection. Requests are answered one after the other, also those of a client that has closed
    its side after them.
    """

    def data_received(self, data: bytes) -> None:
        """Each round takes at least one whole head from ``data``."""
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("This is not a request of HTTP/1.1 that can be read")
                return
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head)

    def on_headers_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_headers_complete()
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

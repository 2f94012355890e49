"""Follows a stream of server-sent events over lost connections: it comes back with `Last-Event-ID`."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any, Literal

from coordinator.client.errors import AnswerLost, ApiError, ClientError, NotACoordinator, NotReached
from coordinator.client.exchange.http_messages import ApiRequest
from coordinator.client.exchange.programs import (
    Circumstances,
    Deadline,
    HangUp,
    NextPiece,
    Patience,
    Program,
    listening,
)
from coordinator.client.exchange.server_sent_events import Frame, FrameParser

__all__ = ["SILENCE", "FollowedStream", "Reopened", "data_of"]

SILENCE = 45.0
"""Seconds without a byte after which a connection counts as lost: three heartbeats of the service."""

STEADY = 5.0
"""Seconds after which a stream that is open counts as one that goes well, also where it tells nothing."""


_COMPLETE = ("task-ended", "caught-up")
"""Reasons of an end after which there is nothing to come back for."""


class Reopened(Enum):
    """Stands for no frame: the stream was opened, for the first time or again."""

    ANEW = "nothing is known of what happened before"
    GOING_ON = "it goes on after the last id, and nothing is missing"


class FollowedStream:
    """Is one stream to whoever calls `next`, over however many connections. ``request`` is called with
    nothing for each of them.

    Gives up, and raises the last error, where it is not told anything for as long as the retries last. An end
    that the service gives a reason for is as good as a lost connection.
    """

    def __init__(
        self,
        request: Callable[[], ApiRequest],
        now: Circumstances,
        *,
        last_id: str | None = None,
        deadline: Deadline | None = None,
        what: str = "The stream goes on",
    ) -> None:
        """``what`` is the sentence of a `WaitTimedOut`."""
        self._request = request
        self._now = now
        self._last_id = last_id
        self._deadline = deadline or Deadline(None, now.clock)
        self._what = what
        self._patience = Patience(now)
        self._frames: deque[Frame] = deque()
        self._parser: FrameParser | None = None
        self._opened_at = 0.0
        self._lost: ClientError | None = None

    def next(self) -> Program[Frame | Reopened]:
        """The next frame with data, or that the stream was opened. Raises `WaitTimedOut` at the deadline,
        and what the service answers where it refuses the stream.
        """
        while True:
            if self._frames:
                frame = self._frames.popleft()
                if self._tells(frame):
                    return frame
            elif self._parser is None:
                return (yield from self._open())
            else:
                yield from self._read(self._parser)

    def close(self) -> Program[None]:
        """Hang up; the next `next` opens it again."""
        self._parser = None
        self._frames.clear()
        yield HangUp()

    def _tells(self, frame: Frame) -> bool:
        """Note where the stream is; False where the frame is not for who follows it."""
        if frame.id is not None:
            self._last_id = frame.id
        steady = self._now.clock() - self._opened_at > STEADY
        if steady or (frame.data and not frame.event.startswith("stream.")):
            self._patience.went_well()
        if frame.event == "stream.end" and (data := data_of(frame)).get("reason") not in _COMPLETE:
            self._lost = AnswerLost(str(data.get("detail", "The stream was ended")))
            self._parser = None
            self._frames.clear()
            return False
        return bool(frame.data)

    def _read(self, parser: FrameParser) -> Program[None]:
        try:
            piece = yield NextPiece()
        except NotReached as lost:
            self._parser, self._lost = None, lost
            return
        if piece is None:
            self._parser, self._lost = None, AnswerLost("The stream broke off")
            return
        self._frames.extend(parser.feed(piece))

    def _open(self) -> Program[Literal[Reopened.ANEW, Reopened.GOING_ON]]:
        while True:
            yield HangUp()
            self._deadline.check(self._what)
            error, self._lost = self._lost, None
            if error is not None:
                yield from self._patience.wait_after(
                    error, repeatable=True, within=self._deadline.left
                )
            request = self._request()
            if self._last_id is not None:
                request = replace(
                    request, headers={**request.headers, "Last-Event-ID": self._last_id}
                )
            try:
                yield from listening(
                    request, self._now, silence=SILENCE, at_most=self._deadline.left
                )
            except (NotReached, ApiError) as refused:
                self._lost = refused
                continue
            self._parser = FrameParser(self._last_id)
            self._opened_at = self._now.clock()
            return Reopened.ANEW if self._last_id is None else Reopened.GOING_ON


def data_of(frame: Frame) -> dict[str, Any]:
    """The JSON object that the frame has. Raises `NotACoordinator`."""
    try:
        found = json.loads(frame.data)
    except (ValueError, RecursionError) as exc:
        raise NotACoordinator(f"The stream told {frame.event} without JSON") from exc
    if not isinstance(found, dict):
        raise NotACoordinator(f"The stream told {frame.event} without a JSON object")
    return found

"""Holds a W3C trace context: which trace a request, a task's message or an event belongs to.

`traceparent` names the trace and the span that comes before; `tracestate` is what tracing systems add for
themselves. Both are texts that are passed on as they came; nothing here needs a tracing library.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["TRACEPARENT", "TRACESTATE", "TraceContext", "trace_id_of"]

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
"""The names of both: of HTTP headers, of headers of a task's message, and of attributes of an event."""

LONGEST_STATE = 512
"""Characters of a `tracestate` that is passed on: what the standard asks for."""

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE = re.compile(r"[a-z0-9][a-z0-9_*/@-]{0,255}=[ -+\--<>-~]{0,256}")
"""One member of a `tracestate`."""


class TraceContext(NamedTuple):
    """A place in a trace: what follows from it hangs below."""

    traceparent: str
    tracestate: str | None = None

    @classmethod
    def of(cls, traceparent: object, tracestate: object = None) -> TraceContext | None:
        """None where ``traceparent`` is not one: there is no trace then. A ``tracestate`` that is not one is
        left out, as the standard has it.
        """
        if not isinstance(traceparent, str) or not _PARENT.fullmatch(traceparent):
            return None
        return cls(traceparent, _state(tracestate))

    @classmethod
    def among(cls, headers: Mapping[str, Any]) -> TraceContext | None:
        """That of headers of a message; some clients have texts as bytes."""
        told = headers.get(TRACEPARENT)
        return None if told is None else cls.of(_text(told), _text(headers.get(TRACESTATE)))

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.traceparent[3:35]

    def headers(self) -> dict[str, str]:
        """By name, those that are there."""
        if self.tracestate is None:
            return {TRACEPARENT: self.traceparent}
        return {TRACEPARENT: self.traceparent, TRACESTATE: self.tracestate}


def trace_id_of(traceparent: str | None) -> str | None:
    """The id of the trace, for log lines; None where it names none."""
    known = TraceContext.of(traceparent)
    return None if known is None else known.trace_id


def _state(told: object) -> str | None:
    if not isinstance(told, str) or not 0 < len(told) <= LONGEST_STATE:
        return None
    members = [member.strip(" \t") for member in told.split(",")]
    well = all(not member or _STATE.fullmatch(member) for member in members)
    return told if well and any(members) else None


def _text(told: object) -> object:
    return told.decode("latin-1") if isinstance(told, bytes | bytearray) else told

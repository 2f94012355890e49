"""A trace context of any caller is passed on as it came, or is none."""

from __future__ import annotations

import pytest

from coordinator.protocol.trace_context import TraceContext, trace_id_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.mark.parametrize("flags", ["00", "01", "03"])
def test_a_context_is_kept_whatever_its_flags(flags: str) -> None:
    told = TraceContext.of(f"{PARENT[:-2]}{flags}", "vendor=1,other@x=a b")
    assert told == TraceContext(f"{PARENT[:-2]}{flags}", "vendor=1,other@x=a b")
    assert told.trace_id == TRACE


@pytest.mark.parametrize(
    "parent",
    [
        None,
        7,
        "",
        "nonsense",
        PARENT.upper(),
        f"{PARENT} ",
        f"{PARENT}\n",
        f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_what_is_no_context_is_none(parent: object) -> None:
    assert TraceContext.of(parent, "vendor=1") is None


@pytest.mark.parametrize(
    "state", [None, "", ",", "no member", "a=1,=2", "a=\x00", "a=" + "x" * 600]
)
def test_a_state_that_is_none_leaves_the_rest(state: object) -> None:
    assert TraceContext.of(PARENT, state) == TraceContext(PARENT)


def test_headers_of_a_message_may_be_bytes() -> None:
    headers = {"traceparent": PARENT.encode(), "tracestate": bytearray(b"a=1")}
    assert TraceContext.among(headers) == TraceContext(PARENT, "a=1")
    assert TraceContext.among({"tracestate": "a=1"}) is None


def test_headers_are_those_that_are_there() -> None:
    assert TraceContext(PARENT).headers() == {"traceparent": PARENT}
    assert TraceContext(PARENT, "a=1").headers() == {"traceparent": PARENT, "tracestate": "a=1"}


def test_a_line_names_the_trace_where_there_is_one() -> None:
    assert trace_id_of(PARENT) == TRACE
    assert trace_id_of("nonsense") is None
    assert trace_id_of(None) is None

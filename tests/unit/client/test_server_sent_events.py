"""Bytes of a stream, as they come, are the frames that were sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.client.errors import NotACoordinator
from coordinator.client.exchange.server_sent_events import Frame, FrameParser
from tests.unit.client.scripted_service import frame

lines = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))
frames = st.lists(
    st.tuples(st.sampled_from(["task.started", "output.chunks"]), lines, st.integers(0, 2**62))
)


@given(sent=frames, cuts=st.lists(st.integers(1, 40)), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_frames_are_the_same_however_the_bytes_are_cut(
    sent: list[tuple[str, str, int]], cuts: list[int], end: str
) -> None:
    raw = "".join(
        f": hello{end}id: {position}{end}event: {event}{end}data: {data}{end}{end}"
        for event, data, position in sent
    ).encode()
    parser = FrameParser()
    found: list[Frame] = []
    for size in [*cuts, len(raw) + 1]:
        found += parser.feed(raw[:size])
        raw = raw[size:]
    assert found == [
        Frame(event=event, data=data, id=str(position)) for event, data, position in sent
    ]


def test_several_lines_of_data_are_joined_and_the_last_id_stays() -> None:
    parser = FrameParser("7")
    raw = b"data: a\ndata\ndata:b\n\nid: 8\n: heartbeat\n\nevent: x\ndata: c\n\n\n"
    assert list(parser.feed(raw)) == [
        Frame(event="message", data="a\n\nb", id="7", placed=False),
        Frame(event="", data="", id="8"),
        Frame(event="x", data="c", id="8", placed=False),
    ]


def test_what_was_not_ended_by_an_empty_line_is_no_frame() -> None:
    assert list(FrameParser().feed(b"event: x\ndata: c\n")) == []


def test_an_event_without_an_end_is_refused() -> None:
    parser = FrameParser(largest=1000)
    assert list(parser.feed(frame("x", "y" * 900)))
    assert not list(parser.feed(b"data: " + b"y" * 600 + b"\n"))
    with pytest.raises(NotACoordinator):
        list(parser.feed(b"data: " + b"y" * 600))

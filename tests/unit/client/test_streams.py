"""Streams over lost connections, and the ends of many tasks, by a script in the place of the service."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.client.calls import event_streams, many_endings
from coordinator.client.calls.output_repetitions import OutputRepetitions
from coordinator.client.errors import AnswerLost, NotFound, NotSent, Unavailable, WaitTimedOut
from coordinator.client.exchange.http_messages import ApiAnswer
from coordinator.client.models.stream_items import (
    EventsMissing,
    OutputChunks,
    OutputEnded,
    OutputMissing,
    OutputStarted,
    StreamedEvent,
    StreamReset,
    TaskEnded,
)
from coordinator.client.models.tasks import ENDED
from coordinator.domain import task as domain
from tests.unit.client.scripted_service import Script, answer, frame

RUN = {"task_id": "t", "generation": 1, "attempt": 1, "agent_id": "ada", "run": "r"}
END = frame(
    "stream.end",
    {"reason": "task-ended", "detail": "over", "task": {"task_id": "t", "state": "completed"}},
    position="end",
)


def event(name: str, position: int, subject: str = "t", **data: Any) -> bytes:
    return frame(name, {"subject": subject, "data": data}, position=position)


def chunks(first: int, *told: str) -> bytes:
    return frame("output.chunks", RUN | {"first": first, "chunks": list(told)})


def test_a_stream_goes_on_after_the_last_id_and_tells_nothing_twice() -> None:
    script = Script(
        streams=[
            [
                frame(position=4),
                event("task.started", 5),
                frame("output.started", RUN),
                chunks(1, "a", "b"),
                AnswerLost("gone"),
            ],
            NotSent("no"),
            answer(503, headers={"retry-after": "3"}, detail="away"),
            [
                frame(position=5),
                frame("output.started", RUN),
                chunks(2, "b", "c"),
                frame("stream.end", {"reason": "stopping", "detail": "stops"}),
            ],
            [
                frame(position=5),
                frame("output.missing", RUN | {"first": 1, "last": 2}),
                chunks(3, "c"),
                frame("output.missing", RUN | {"first": 4, "last": 4}),
                frame("output.ended", RUN | {"last": 4}),
                frame("newer.kind", {"x": 1}),
                event("task.completed", 6),
                END,
            ],
        ]
    )
    _, told = script.run(event_streams.task_stream("t", script.now()))

    assert [type(one) for one in told] == [
        *(StreamedEvent, OutputStarted, OutputChunks, OutputChunks),
        *(OutputMissing, OutputEnded, StreamedEvent, TaskEnded),
    ]
    said = [list(one.chunks) for one in told if isinstance(one, OutputChunks)]
    assert said == [["a", "b"], ["c"]]
    assert [one.headers.get("Last-Event-ID") for one in script.requests] == [
        *(None, "5", "5", "5", "5"),
    ]
    assert 3.0 in script.paused


def test_a_stream_that_is_refused_for_good_is_not_asked_for_again() -> None:
    script = Script(streams=[answer(404, detail="Task not found")])
    with pytest.raises(NotFound):
        script.run(event_streams.task_stream("t", script.now()))


def test_a_service_that_ends_each_stream_is_given_up_after_a_while() -> None:
    ends = [frame(position=1), frame("stream.end", {"reason": "unavailable", "detail": "not now"})]
    script = Script(streams=[[*ends] for _ in range(200)])
    with pytest.raises(AnswerLost, match="not now"):
        script.run(event_streams.task_stream("t", script.now(total_seconds=30)))
    assert 20 < script.seconds <= 30
    assert len(script.requests) < 30


def test_a_service_that_is_away_is_given_up_after_a_while() -> None:
    away = answer(503, headers={"retry-after": "5"}, detail="away")
    script = Script(streams=[away] * 100)
    with pytest.raises(Unavailable):
        script.run(event_streams.events(script.now(total_seconds=30)))
    assert script.seconds <= 30


def test_what_a_stream_says_of_itself_is_told() -> None:
    script = Script(
        streams=[
            [
                frame(position=1),
                frame("stream.reset", {"until": 1, "detail": "other"}, position=1),
                frame("stream.incomplete", {"after": 1, "until": 9, "detail": "gone"}),
                END,
            ]
        ]
    )
    _, told = script.run(event_streams.task_stream("t", script.now(), after=99))
    assert [type(one) for one in told] == [StreamReset, EventsMissing, TaskEnded]
    assert script.requests[0].headers["Last-Event-ID"] == "99"


def test_a_stream_is_over_at_its_deadline() -> None:
    script = Script(streams=[[frame(position=1), AnswerLost("cut")]])
    program = event_streams.events(script.now(), timeout=0.0)
    with pytest.raises(WaitTimedOut):
        script.run(program)


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(1, 10)).map(
            lambda at: range(at[0], at[0] + at[1])
        )
    )
)
def test_of_chunks_that_are_told_again_each_is_told_once(pieces: list[range]) -> None:
    known = OutputRepetitions()
    told: list[int] = []
    for piece in pieces:
        found = known.new(OutputChunks(first=piece[0], chunks=list(piece)))
        if isinstance(found, OutputChunks):
            assert found.chunks[0] == found.first
            told += found.chunks
    assert told == sorted(set(told))


# The ends of many


def ended(task_id: str, state: str = "completed") -> ApiAnswer:
    return answer(task={"task_id": task_id, "state": state})


def test_each_task_is_told_once_whether_it_ended_before_the_stream_or_after() -> None:
    script = Script(
        streams=[
            [
                frame(position=1),
                event("task.completed", 2, "a", state="completed"),
                event("task.started", 3, "b", state="running"),
                event("task.failed", 4, "b", state="dead"),
                event("task.completed", 5, "other", state="completed"),
                AnswerLost("gone"),
            ],
            [frame(position=5), event("task.expired", 6, "c", state="expired")],
        ],
        exchanges=[
            ended("a"),
            ended("b", "queued"),
            ended("c", "queued"),
            ended("b", "dead"),
            ended("c", "expired"),
        ],
    )
    _, told = script.run(many_endings.endings(["a", "b", "c", "a"], script.now()))
    assert [(one.task_id, one.state) for one in told] == [
        ("a", "completed"),
        ("b", "dead"),
        ("c", "expired"),
    ]


def test_a_dead_task_that_was_tried_again_meanwhile_is_waited_for() -> None:
    script = Script(
        streams=[
            [
                frame(position=1),
                event("task.failed", 2, "a", state="dead"),
                event("task.completed", 3, "a", state="completed"),
            ]
        ],
        exchanges=[ended("a", "running"), ended("a", "queued"), ended("a")],
    )
    _, told = script.run(many_endings.endings(["a"], script.now()))
    assert [one.state for one in told] == ["completed"]


def test_where_the_stream_may_have_missed_something_all_are_looked_up() -> None:
    script = Script(
        streams=[[frame(position=1), frame("stream.reset", {"until": 0}, position=0)]],
        exchanges=[ended("a", "running"), ended("a")],
    )
    _, told = script.run(many_endings.endings(["a"], script.now()))
    assert len(told) == 1


def test_a_stream_lost_before_it_said_where_it_is_has_all_looked_up_again() -> None:
    script = Script(
        streams=[[AnswerLost("gone")], [frame(position=1)]],
        exchanges=[ended("a", "running"), ended("a")],
    )
    _, told = script.run(many_endings.endings(["a"], script.now()))
    assert len(told) == 1


def test_a_few_are_named_in_the_query_and_of_many_all_ends_are_asked_for() -> None:
    few = many_endings.request_for(["a", "b"]).path
    assert "task_id=a&task_id=b" in few
    assert "task_id" not in many_endings.request_for(map(str, range(101))).path
    assert "task_id" not in many_endings.request_for(["x" * 100 + str(n) for n in range(90)]).path
    assert few.count("state=") == len(ENDED)


def test_events_that_are_not_followed_end_where_the_service_says_so_and_not_with_a_connection() -> (
    None
):
    script = Script(
        streams=[
            [frame(position=0), event("task.started", 1), AnswerLost("gone")],
            [
                frame(position=1),
                event("task.completed", 2),
                frame("stream.end", {"reason": "caught-up", "detail": "all"}, position=2),
            ],
        ]
    )
    _, told = script.run(event_streams.events(script.now(), follow=False, type="task.*"))
    assert [one.position for one in told] == [1, 2]
    assert [one.path for one in script.requests] == ["/events?type=task.%2A&follow=false"] * 2
    assert script.requests[1].headers["Last-Event-ID"] == "1"


def test_no_tasks_need_no_stream() -> None:
    script = Script()
    _, told = script.run(many_endings.endings([], script.now()))
    assert told == script.requests == []


def test_the_states_of_an_end_are_those_of_the_service() -> None:
    assert {state.value for state in domain.ENDED} == ENDED

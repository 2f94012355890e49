"""Several tasks in one message of the log are read as if each had come by itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.message import Message
from coordinator.protocol.messages.cloudevents import BATCH
from coordinator.protocol.messages.event_codec.event_reading import Refused, holds_several, read
from coordinator.protocol.messages.events import Event, TaskSubmitted
from coordinator.protocol.messages.task_group import GROUP_TYPE, join_tasks
from coordinator.protocol.messages.task_message import TASK_TYPE, TaskMessage
from coordinator.protocol.name_encoding import BROKER_AUTHOR
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import LOG


def message(task_id: str) -> Message:
    return TaskMessage(
        task_id=task_id,
        task_data={},
        priority=Priority.LOW,
        submitted_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        task_token="t",
    ).to_message()


def group(*bodies: bytes) -> Message:
    return Message(body=b"[" + b",".join(bodies) + b"]", type=GROUP_TYPE)


def test_each_task_is_the_event_that_its_own_message_would_have_been() -> None:
    three = [message(name) for name in "abc"]
    joined = join_tasks(three)
    assert holds_several(joined)
    assert read(joined, LOG) == [event for one in three for event in read(one, "any.low")]


def test_what_is_no_task_is_refused_alone_whatever_it_is() -> None:
    good = message("good").body
    deep = b"[" * 100_000 + b"]" * 100_000
    for bad in (b"{}", b"7", b"nonsense", b'{"task_id": 1}', deep):
        first, refused, last = read(group(good, bad, good), LOG)
        assert isinstance(first, Event)
        assert isinstance(last, Event)
        assert isinstance(first.data, TaskSubmitted)
        assert isinstance(refused, Refused)
        assert isinstance(refused.why, MalformedMessage)
        assert refused.alone is not None
        assert (refused.alone.body, refused.alone.type) == (bad, TASK_TYPE)


def test_a_message_that_is_no_array_is_refused_as_a_whole() -> None:
    for body in (b"", b"{}", b"[{]", b"null"):
        (refused,) = read(Message(body=body, type=GROUP_TYPE), LOG)
        assert isinstance(refused, Refused)
        assert refused.alone is None


def test_no_queue_gives_up_several_tasks_at_once() -> None:
    key = f"task.{BROKER_AUTHOR}.dead-lettered"
    (refused,) = read(join_tasks([message("a"), message("b")]), key)
    assert isinstance(refused, Refused)


@pytest.mark.parametrize(
    ("kind", "content_type", "key"),
    [(GROUP_TYPE, "application/json", LOG), (None, BATCH, "task.ada.batch")],
)
def test_a_string_that_does_not_end_takes_time_that_grows_with_the_message_and_not_its_square(
    kind: str | None, content_type: str, key: str
) -> None:
    """A megabyte in no time; searched again from each of its quotes, it took hours."""
    body = b'["' + b'\\"' * 500_000 + b"]"
    (refused,) = read(Message(body=body, type=kind, content_type=content_type), key)
    assert isinstance(refused, Refused)
    assert refused.alone is None


@pytest.mark.parametrize("key", ["task.ada.started", "task.ada.tasks", "agent.ada.stopped"])
def test_who_may_state_events_submits_no_tasks_with_them(key: str) -> None:
    one = message("a")
    for submitted in (one, join_tasks([one]), join_tasks([one, message("b")])):
        (refused,) = read(submitted, key)
        assert isinstance(refused, Refused)
        assert isinstance(refused.why, ForgedIdentity)


@pytest.mark.parametrize("key", ["any.low", "task:train.low", "agent:ada:long.low", LOG])
def test_no_key_of_a_lane_is_taken_for_an_events(key: str) -> None:
    (event,) = read(message("a"), key)
    assert isinstance(event, Event)

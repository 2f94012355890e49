"""Events on the wire: they come back as they went, and nothing speaks for another agent."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.message import Message
from coordinator.protocol.messages.cloudevents import BATCH
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.event_codec.event_reading import Refused, read
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    AttemptError,
    Event,
    RunningTask,
    SourceOpened,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
    TaskSubmitted,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from tests.support.decoding import decode

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

ids = st.text(min_size=1, max_size=128, alphabet=st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
times = st.datetimes(timezones=st.just(UTC)).filter(lambda time: 1970 <= time.year < 9990)


def task_events(agent_id: str) -> st.SearchStrategy[Event]:
    fence = {
        "task_id": ids,
        "generation": st.integers(1, 5),
        "attempt": st.integers(1, 5),
        "agent_id": st.just(agent_id),
    }
    data = st.one_of(
        st.builds(TaskStarted, **fence),
        st.builds(TaskProgressed, **fence, fraction=st.none() | st.floats(0, 1)),
        st.builds(TaskCompleted, **fence, result=json_values, task_token=st.text(max_size=64)),
        st.builds(
            TaskFailed,
            **fence,
            error=st.builds(AttemptError, message=st.text(max_size=9)),
            task_token=st.text(max_size=64),
        ),
    )
    return st.builds(Event, data=data, time=times)


@given(ids.flatmap(task_events))
def test_an_event_comes_back_as_it_went(event: Event) -> None:
    assert decode(encode(event), routing_key(event.data)) == [event]


@given(ids.flatmap(lambda agent: st.lists(task_events(agent), min_size=1, max_size=8)))
def test_a_batch_comes_back_as_it_went(events: list[Event]) -> None:
    key, message = encode_batch(events)
    assert decode(message, key) == events


@given(ids, ids)
def test_no_event_speaks_for_another_agent(author: str, victim: str) -> None:
    honest = Event(data=TaskStarted(task_id="t", agent_id=author))
    forged = Event(data=TaskStarted(task_id="t", agent_id=victim))
    if author == victim:
        return
    with pytest.raises(ForgedIdentity):
        decode(encode(forged), routing_key(honest.data))
    _, batch = encode_batch([forged, forged])
    with pytest.raises(ForgedIdentity):
        decode(batch, routing_key(honest.data).rpartition(".")[0] + ".batch")


def test_an_agent_cannot_state_what_only_a_coordinator_may() -> None:
    cancelled = encode(Event(data=TaskCancelled(task_id="t", reason="cleared")))
    with pytest.raises(ForgedIdentity):
        decode(cancelled, "task.rogue.cancelled")


def test_an_event_about_one_kind_of_thing_cannot_hide_behind_the_key_of_another() -> None:
    registered = Event(data=AgentRegistered(agent_id="a", agent_type="worker"))
    with pytest.raises(ForgedIdentity):
        decode(encode(registered), "task.a.registered")


def test_a_batch_of_two_authors_is_refused_by_the_writer() -> None:
    with pytest.raises(ValueError, match="one author"):
        encode_batch([Event(data=TaskStarted(task_id="t", agent_id=name)) for name in "ab"])


def task(**changes: object) -> TaskMessage:
    fields: dict[str, object] = {
        "task_id": "t-1",
        "task_data": {"task_type": "word-count", "n": 1},
        "priority": "high",
        "requirements": {"agent_type": "worker"},
        "submitted_at": NOW,
        "task_token": "secret",
    }
    return TaskMessage.model_validate(fields | changes)


def test_a_task_in_the_log_is_the_event_that_it_was_submitted() -> None:
    sent = task()
    (event,) = decode(sent.to_message(), sent.source.key)
    assert isinstance(event.data, TaskSubmitted)
    assert event.data.task == sent
    assert event.id == "t-1.1.1"
    assert event.time == NOW


@pytest.mark.parametrize("reason", ["rejected", "delivery_limit", "expired"])
def test_a_dead_lettered_task_says_why(reason: str) -> None:
    message = replace(task().to_message(), headers={"x-first-death-reason": reason})
    (event,) = decode(message, "task.~broker.dead-lettered")
    assert isinstance(event.data, TaskDeadLettered)
    assert (event.data.reason, event.data.task_id) == (reason, "t-1")


def test_a_dead_lettered_task_without_a_reason_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        decode(task().to_message(), "task.~broker.dead-lettered")


def test_a_long_task_has_a_queue_of_its_own_kind() -> None:
    assert task(timeout_seconds=600).source.queue == "tasks.type:worker.high"
    assert task(timeout_seconds=601).source.queue == "tasks.type:worker:long.high"


def test_unknown_fields_are_ignored() -> None:
    body = json.loads(task().to_message().body) | {"colour": "green"}
    assert TaskMessage.from_message(Message(body=json.dumps(body).encode())) == task()


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (Message(body=b"", type="task"), "any.low"),
        (Message(body=b"not json", type="task"), "any.low"),
        (Message(body=b"{}", type="task"), "any.low"),
        (Message(body=b"{}", type="task.started"), "task.a.started"),
        (Message(body=b"{}", type="task.unheard-of"), "task.a.unheard-of"),
        (Message(body=b"{}"), "task.a.started"),
        (Message(body=b"{", content_type=BATCH), "task.a.batch"),
        (Message(body=b"{}", content_type=BATCH), "task.a.batch"),
        (Message(body=b"[1]", content_type=BATCH), "task.a.batch"),
        (Message(body=b'[{"type":"task.started"}]', content_type=BATCH), "task.a.batch"),
        (Message(body=b"\xff\xfe", headers={"cloudEvents_type": 7}), "task.a.started"),
        (Message(body=b"{}", headers={"cloudEvents_type": ["x"]}), "task.a.started"),
    ],
)
def test_garbage_is_malformed_and_never_another_error(message: Message, key: str) -> None:
    with pytest.raises(MalformedMessage):
        decode(message, key)


@given(st.binary(max_size=60), st.text(max_size=30), st.sampled_from(["task", "batch", "event"]))
def test_no_bytes_on_the_wire_raise_anything_but_what_the_projector_parks(
    body: bytes, key: str, kind: str
) -> None:
    message = Message(
        body=body,
        type="task" if kind == "task" else "task.started",
        content_type=BATCH if kind == "batch" else "application/json",
        message_id="m",
    )
    for one in read(message, key):
        assert not isinstance(one, Refused) or isinstance(
            one.why, MalformedMessage | ForgedIdentity
        )
    with contextlib.suppress(MalformedMessage, ForgedIdentity):
        decode(message, key)


GOOD = Event(data=TaskStarted(task_id="good", agent_id="a"), time=NOW)


def structured(**changes: object) -> bytes:
    """An event as it stands in a batch, first what is changed: tests are named by the beginning, and the
    id and the time are others in each process of tests.
    """
    body = json.loads(encode_batch([GOOD, GOOD])[1].body)[0]
    return json.dumps(changes | body | changes).encode()


WRONG = [
    b"7",
    b"null",
    b'"half a pair: \\ud800"',
    b"[" * 5000 + b"]" * 5000,
    b"9" * 5000,
    b"tru",
    b"\xff",
    structured(type="task.unheard-of"),
    structured(type=["task.started"]),
    structured(id=""),
    structured(type=None),
    structured(data=None),
    structured(data={"task_id": "t"}),
    structured(data={"task_id": "t", "agent_id": "somebody else"}),
    structured(type="agent.stopped", data={"agent_id": "a"}),
    structured(data={"task_id": "t", "agent_id": "\ud800"}),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: repr(wrong[:40]))
@pytest.mark.parametrize("place", range(3))
def test_one_bad_event_of_a_batch_is_refused_alone(wrong: bytes, place: int) -> None:
    items = [structured(id="1"), structured(id="2")]
    items.insert(place, wrong)
    message = Message(body=b"[" + b", ".join(items) + b"]", content_type=BATCH)
    found = read(message, "task.a.batch")
    refused = found.pop(place)
    assert isinstance(refused, Refused)
    assert refused.alone is not None
    assert [one.id for one in found if isinstance(one, Event)] == ["1", "2"]
    try:
        same = json.loads(refused.alone.body) == json.loads(wrong)
    except (ValueError, RecursionError):
        same = refused.alone.body == wrong
    assert same
    with pytest.raises(type(refused.why)):
        decode(message, "task.a.batch")


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"[1,", b'[{"a":[}]', b"7"])
def test_a_batch_that_is_no_array_of_anything_is_refused_as_a_whole(body: bytes) -> None:
    (refused,) = read(Message(body=body, content_type=BATCH), "task.a.batch")
    assert isinstance(refused, Refused)
    assert refused.alone is None


def test_an_event_without_an_id_is_malformed_since_it_could_not_be_folded_once() -> None:
    message = replace(
        encode(Event(data=TaskStarted(task_id="t", agent_id="a"))), headers={}, message_id=None
    )
    with pytest.raises(MalformedMessage, match="id"):
        decode(message, "task.a.started")


def test_plain_amqp_properties_do_where_the_cloudevents_headers_are_missing() -> None:
    event = Event(data=TaskStarted(task_id="t", agent_id="a"), time=NOW)
    (found,) = decode(replace(encode(event), headers={}), "task.a.started")
    assert found == event


def test_a_heartbeat_carries_the_whole_state() -> None:
    beat = Event(
        data=AgentHeartbeat(
            agent_id="a",
            slots=2,
            running=[RunningTask(task_id="t", started_at=NOW - timedelta(seconds=3))],
            load_metrics={"cpu_usage": 0.5},
        )
    )
    assert decode(encode(beat, persistent=False), "agent.a.heartbeat") == [beat]


def test_an_opened_source_names_its_lane_in_the_key() -> None:
    event = Event(data=SourceOpened(lane="type:worker", priority=Priority.LOW))
    assert routing_key(event.data) == "source.type:worker.opened"
    assert decode(encode(event), routing_key(event.data)) == [event]


# --- floods -----------------------------------------------------------------------------------


def test_a_message_beyond_the_limit_is_refused_before_it_is_read() -> None:
    event = encode(Event(data=TaskStarted(task_id="t", agent_id="ada")))
    large = replace(event, body=event.body + b" " * 1000)
    (taken,) = read(large, "task.ada.started", largest=len(large.body))
    assert isinstance(taken, Event)
    (refused,) = read(large, "task.ada.started", largest=len(large.body) - 1)
    assert isinstance(refused, Refused)
    assert "COORDINATOR_MAX_MESSAGE_BYTES" in str(refused.why)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (Message(body=b"", content_type=BATCH), "task.ada.batch"),
        (Message(body=b"", type="tasks"), "any.normal"),
    ],
    ids=["events", "tasks"],
)
@pytest.mark.parametrize("end", [b"]", b',{"a":\xff}]'])
def test_a_message_of_very_many_bad_events_is_told_of_a_hundred_times_and_once_as_a_whole(
    kind: Message, key: str, end: bytes
) -> None:
    """However it is read: as JSON, or item by item."""
    found = read(replace(kind, body=b"[" + b",".join([b"1"] * 20_000) + end), key)
    refused = [one for one in found if isinstance(one, Refused)]
    assert len(refused) == len(found) == 101
    assert all(one.alone is not None for one in refused[:100])
    assert refused[100].alone is None
    assert str(refused[100].why).startswith("19900 more" if end == b"]" else "19901 more")


def test_a_good_event_behind_very_many_bad_ones_is_taken() -> None:
    good = {"specversion": "1.0", "id": "i", "type": "task.started"}
    item = to_json(good | {"data": {"task_id": "t", "agent_id": "ada"}})
    body = b"[" + b"1," * 5000 + item + b"]"
    found = read(Message(body=body, content_type=BATCH), "task.ada.batch")
    assert [one.id for one in found if isinstance(one, Event)] == ["i"]


def test_what_is_refused_is_freed_with_the_last_that_has_it_and_waits_for_no_collector() -> None:
    """A flood would wait there, since the collector counts objects and not their bytes."""
    message = Message(body=b"x" * 1000)
    gc.collect()
    gc.disable()
    try:
        before = sys.getrefcount(message)
        (refused,) = read(message, "task.ada.started")
        assert isinstance(refused, Refused)
        del refused
        assert sys.getrefcount(message) == before
    finally:
        gc.enable()

"""What clients of other languages write without a thought is read as they mean it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordinator.errors import MalformedMessage
from coordinator.protocol.cloudevents import instant
from coordinator.protocol.codec import BATCH, decode, encode
from coordinator.protocol.events import (
    AgentHeartbeat,
    Event,
    EventData,
    TaskCompleted,
    TaskDeclined,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
)
from coordinator.protocol.message import Message
from coordinator.protocol.natural_json import read_model
from coordinator.protocol.registration import RegisterRequest

NOW = datetime(2026, 11, 28, 14, 59, 20, tzinfo=UTC)
HEAD = {"cloudEvents_id": "1", "cloudEvents_time": "2026-11-28T14:59:20Z"}


def beaten(**fields: Any) -> Event:
    headers = {**HEAD, "cloudEvents_type": "agent.heartbeat"}
    body = json.dumps({"agent_id": "ada", "instance": "i", **fields}).encode()
    (event,) = decode(Message(body=body, headers=headers), "agent.ada.heartbeat")
    return event


def said(kind: str, **fields: Any) -> EventData:
    headers = {**HEAD, "cloudEvents_type": kind}
    fence = {"task_id": "t", "agent_id": "ada", "task_token": "x"}
    body = json.dumps({**fence, **fields}).encode()
    (event,) = decode(Message(body=body, headers=headers), f"task.ada.{kind.removeprefix('task.')}")
    return event.data


# --- heartbeats -------------------------------------------------------------------------------

TASK = {"task_id": "t", "started_at": "2026-11-28T14:59:20Z"}


@pytest.mark.parametrize(
    "fields",
    [
        {"running": None},
        {"held": None},
        {"load_metrics": None},
        {"load_metrics": []},
        {"load_metrics": {"gpu": None}},
        {"sequence": None},
        {"status": None, "slots": None, "completed": None, "started_at": None},
        {"running": {}},
    ],
    ids=str,
)
def test_null_is_not_given_and_what_is_empty_is_empty(fields: dict[str, Any]) -> None:
    event = beaten(**fields)
    assert event.left_out == ()
    assert event.data == AgentHeartbeat(agent_id="ada", instance="i")


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [
        ({"load_metrics": {"host": "a1", "cpu": 0.5}, "slots": 3}, ["load_metrics.host"]),
        ({"load_metrics": {"cpu": 0.5}, "slots": 0}, ["slots"]),
        ({"load_metrics": {"cpu": 0.5}, "sequence": "first", "pid": "x"}, ["sequence", "pid"]),
        ({"load_metrics": {"cpu": 0.5}, "started_at": "noon"}, ["started_at"]),
        ({"load_metrics": {"cpu": 0.5}, "status": 5}, ["status"]),
    ],
    ids=str,
)
def test_a_heartbeat_counts_without_what_cannot_be_read_which_is_told(
    fields: dict[str, Any], left_out: list[str]
) -> None:
    event = beaten(running=[TASK], **fields)
    assert isinstance(event.data, AgentHeartbeat)
    assert sorted(one.field for one in event.left_out) == sorted(left_out)
    assert event.data.load_metrics == {"cpu": 0.5}
    assert [one.started_at for one in event.data.running] == [NOW]


@pytest.mark.parametrize(
    ("started_at", "read", "left_out"),
    [
        ("2026-11-28 14:59:20 +0000", NOW, []),
        ("2026-11-28t14:59:20z", NOW, []),
        (NOW.timestamp(), NOW, []),
        (None, None, []),
        ("noon", None, ["running.0.started_at"]),
    ],
)
def test_a_running_task_is_named_however_its_start_is_told(
    started_at: Any, read: datetime | None, left_out: list[str]
) -> None:
    event = beaten(running=[{"task_id": "t", "started_at": started_at}], held=[])
    assert isinstance(event.data, AgentHeartbeat)
    (task,) = event.data.running
    assert (task.task_id, task.started_at) == ("t", read)
    assert [one.field for one in event.left_out] == left_out


@pytest.mark.parametrize(
    "fields",
    [
        {"running": [{"started_at": "2026-11-28T14:59:20Z"}, TASK], "held": []},
        {"running": [TASK], "held": [{"task_id": 7}, {"task_id": "u"}]},
        {"running": [{**TASK, "generation": "second"}], "held": []},
        {"running": "t", "held": []},
    ],
    ids=str,
)
def test_who_cannot_be_understood_about_its_tasks_promises_nothing_of_them(
    fields: dict[str, Any],
) -> None:
    event = beaten(slots=2, **fields)
    assert isinstance(event.data, AgentHeartbeat)
    assert event.left_out
    assert event.data.slots == 2
    assert not event.data.model_fields_set & {"running", "held"}


def test_a_heartbeat_needs_no_id_and_no_time() -> None:
    headers = {"cloudEvents_type": "agent.heartbeat"}
    message = Message(body=b'{"agent_id": "ada"}', headers=headers)
    (event,) = decode(message, "agent.ada.heartbeat")
    assert event.id
    assert not event.dated


@pytest.mark.parametrize("body", [b"{}", b'{"agent_id": null}', b'{"agent_id": 7}', b"[]", b"beat"])
def test_a_heartbeat_of_nobody_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedMessage, match=r"agent\.heartbeat: "):
        decode(Message(body=body, type="agent.heartbeat"), "agent.ada.heartbeat")


# --- times and ids ----------------------------------------------------------------------------

MILLISECONDS = int(NOW.timestamp() * 1000)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-28T14:59:20Z",
        "2026-11-28t14:59:20z",
        "2026-11-28T15:59:20+01:00",
        "2026-11-28T14:59:20.000000000Z",
        "2026-11-28 14:59:20 +0000",
        "2026-11-28T14:59:20,0Z",
        MILLISECONDS,
        MILLISECONDS // 1000,
        MILLISECONDS / 1000,
        NOW,
        NOW.replace(tzinfo=None),
    ],
)
def test_a_time_is_read_in_each_form_that_clients_write(value: Any) -> None:
    assert instant(value) == NOW


@pytest.mark.parametrize(
    "value",
    [
        "noon",
        "",
        None,
        True,
        10**30,
        float("nan"),
        float("inf"),
        b"\xff",
        [],
        "9999-12-31T23:59:60Z",
    ],
)
def test_what_is_no_time_counts_as_missing_and_loses_no_outcome(value: Any) -> None:
    assert instant(value) is None
    done = Event(data=TaskCompleted(task_id="t", agent_id="ada", task_token="x"))
    headers = {**encode(done).headers, "cloudEvents_time": value}
    (event,) = decode(replace(encode(done), headers=headers, timestamp=None), "task.ada.completed")
    assert event.data == done.data
    assert not event.dated
    assert datetime.now(UTC) - event.time < timedelta(minutes=5)


@pytest.mark.parametrize(("value", "read"), [(7, "7"), (b"seven", "seven"), ("7", "7")])
def test_an_id_that_is_a_number_or_a_byte_array_is_its_text(value: Any, read: str) -> None:
    headers = {"cloudEvents_type": b"task.started", "cloudEvents_id": value}
    message = Message(body=b'{"task_id": "t", "agent_id": "ada"}', headers=headers)
    (event,) = decode(message, "task.ada.started")
    assert event.id == read


@pytest.mark.parametrize("value", [True, 1.5, b"\xff" * 16, "", "x" * 201, [1]])
def test_what_is_no_id_is_refused(value: Any) -> None:
    headers = {"cloudEvents_type": "task.started", "cloudEvents_id": value}
    message = Message(body=b'{"task_id": "t", "agent_id": "ada"}', headers=headers)
    with pytest.raises(MalformedMessage, match="needs an id"):
        decode(message, "task.ada.started")


@pytest.mark.parametrize("value", ["2026-12-31T23:59:60Z", "2026-12-31t23:59:60.0+00:00"])
def test_a_leap_second_is_the_next_one(value: str) -> None:
    assert instant(value) == datetime(2027, 1, 1, tzinfo=UTC)


# --- tasks ------------------------------------------------------------------------------------


def test_an_error_may_be_a_text_and_its_type_a_number() -> None:
    boom = said("task.failed", error="boom", retryable=None, retry_after_seconds=None)
    assert isinstance(boom, TaskFailed)
    assert (boom.error.type, boom.error.message, boom.retryable) == ("Error", "boom", True)
    coded = said("task.failed", error={"type": 404, "message": None}, retry_after_seconds="soon")
    assert isinstance(coded, TaskFailed)
    assert (coded.error.type, coded.error.message) == ("404", "")
    empty = said("task.failed", error=[])
    assert isinstance(empty, TaskFailed)


@pytest.mark.parametrize("error", [None, 5, True, ["boom"], {"type": ["x"]}])
def test_an_error_that_says_nothing_clear_is_refused(error: Any) -> None:
    with pytest.raises(MalformedMessage, match=r"task\.failed: error"):
        said("task.failed", error=error)


def test_what_is_only_shown_loses_no_outcome() -> None:
    done = said("task.completed", result={"a": None}, duration_seconds="2 s")
    assert isinstance(done, TaskCompleted)
    assert (done.result, done.duration_seconds) == ({"a": None}, None)
    begun = said("task.started", instance=7)
    assert isinstance(begun, TaskStarted)
    far = said("task.progress", fraction=50, message="half")
    assert isinstance(far, TaskProgressed)
    assert (far.fraction, far.message) == (None, "half")
    back = said("task.declined", republished=None)
    assert isinstance(back, TaskDeclined)
    assert back.republished == 0


# --- registrations ----------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, []])
def test_a_registration_may_have_null_or_an_empty_array_for_what_is_empty(empty: Any) -> None:
    fields = {"metadata": empty, "endpoints": empty, "capabilities": empty, "tags": empty}
    given = {"agent_id": "ada", "agent_type": "worker", "version": None, **fields}
    expected = RegisterRequest(agent_id="ada", agent_type="worker")
    assert read_model(RegisterRequest, json.dumps(given).encode()) == expected


# --- where the attributes stand ---------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["cloudEvents_", "cloudEvents:", "ce-"])
def test_the_headers_of_an_event_may_be_spelt_in_three_ways(prefix: str) -> None:
    found = {"id": "1", "type": "task.started", "source": "/a", "time": MILLISECONDS}
    headers = {f"{prefix}{name}": value for name, value in found.items()}
    message = Message(body=b'{"task_id": "t", "agent_id": "ada"}', headers=headers)
    (event,) = decode(message, "task.ada.started")
    assert (event.id, event.time) == ("1", NOW)


ITEM = {
    "specversion": "1.0",
    "id": "1",
    "source": "/agents/ada",
    "type": "task.started",
    "time": "2026-11-28T14:59:20Z",
    "data": {"task_id": "t", "agent_id": "ada"},
}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/cloudevents+json", ITEM),
        ("application/cloudevents+json; charset=utf-8", ITEM),
        ("Application/CloudEvents+JSON", ITEM),
        (f"{BATCH}; charset=utf-8", [ITEM]),
        (f"{BATCH};charset=UTF-8", [ITEM]),
        ("application/json", ITEM),
        (None, ITEM),
    ],
)
def test_an_event_may_be_structured_or_in_a_batch_with_any_parameters(
    content_type: str | None, body: Any
) -> None:
    message = Message(body=json.dumps(body).encode(), content_type=content_type)
    (event,) = decode(message, "task.ada.started")
    assert event.data == TaskStarted(task_id="t", agent_id="ada")
    assert (event.id, event.time) == ("1", NOW)


def test_structured_data_may_stand_as_base64() -> None:
    item = {name: value for name, value in ITEM.items() if name != "data"}
    item["data_base64"] = "eyJ0YXNrX2lkIjogInQiLCAiYWdlbnRfaWQiOiAiYWRhIn0="
    message = Message(body=json.dumps(item).encode(), content_type="application/cloudevents+json")
    (event,) = decode(message, "task.ada.started")
    assert event.data == TaskStarted(task_id="t", agent_id="ada")
    item["data_base64"] = "?"
    with pytest.raises(MalformedMessage, match="data_base64"):
        decode(replace(message, body=json.dumps(item).encode()), "task.ada.started")


@pytest.mark.parametrize("body", [b"{}", b"\xff", b"[]", b'{"type": "task.started"}'])
def test_an_event_whose_type_stands_nowhere_is_told_where_it_may_stand(body: bytes) -> None:
    with pytest.raises(MalformedMessage, match="there is no header cloudEvents_type"):
        decode(Message(body=body), "task.ada.started")

"""What clients of other languages write without a thought is read as they mean it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from coordinator.errors import MalformedMessage
from coordinator.protocol.json_values.json_instants import instant
from coordinator.protocol.json_values.lenient_reading import read_model
from coordinator.protocol.message import Message
from coordinator.protocol.messages.cloudevents import BATCH
from coordinator.protocol.messages.event_codec.event_encoding import encode
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentStatusChanged,
    AgentStopped,
    Event,
    EventData,
    TaskCompleted,
    TaskDeclined,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
)
from coordinator.protocol.messages.registration import RegisterRequest
from tests.support.decoding import decode

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


def about_ada(kind: str, **fields: Any) -> EventData:
    headers = {**HEAD, "cloudEvents_type": kind}
    body = json.dumps({"agent_id": "ada", **fields}).encode()
    (event,) = decode(Message(body=body, headers=headers), kind.replace(".", ".ada."))
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
        ({"load_metrics": {"cpu": 0.5}, "status": [5]}, ["status"]),
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
        {"running": [TASK], "held": [{"task_id": 7.5}, {"task_id": "u"}]},
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


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [
        ({"load_metrics": {f"m{n}": "much" for n in range(1200)}}, ["load_metrics"]),
        ({"running": [{"started_at": "noon"} for _ in range(1200)], "held": []}, ["running"]),
    ],
    ids=["metrics", "tasks"],
)
def test_a_heartbeat_counts_however_much_of_it_cannot_be_read(
    fields: dict[str, Any], left_out: list[str]
) -> None:
    event = beaten(slots=3, **fields)
    assert isinstance(event.data, AgentHeartbeat)
    assert event.data.slots == 3
    assert [one.field for one in event.left_out] == left_out
    assert not event.data.model_fields_set & {"running", "held", "load_metrics"}


def test_many_tasks_are_named_however_their_starts_are_told() -> None:
    tasks = [{"task_id": str(n), "started_at": "2026-11-28 14:59:20 +0000"} for n in range(150)]
    event = beaten(running=tasks, held=[])
    assert isinstance(event.data, AgentHeartbeat)
    assert [one.started_at for one in event.data.running] == [NOW] * 150
    assert event.left_out == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"agent_id": "ada", "running": [{"task_id": "t", "message": "a\\ud83d"}]}', "a?"),
        (b'{"agent_id": "ada", "running": [{"task_id": "t", "message": "M\xfc"}]}', "M\ufffd"),
    ],
    ids=["half of a pair", "Latin-1"],
)
def test_a_heartbeat_counts_with_characters_that_are_no_unicode(body: bytes, message: str) -> None:
    (event,) = decode(Message(body=body, type="agent.heartbeat"), "agent.ada.heartbeat")
    assert isinstance(event.data, AgentHeartbeat)
    assert [one.message for one in event.data.running] == [message]
    assert [one.field for one in event.left_out] == ["text"]


@pytest.mark.parametrize("status", ["DRAINING", " draining ", "Draining"])
def test_a_status_is_read_in_any_letter_case(status: str) -> None:
    event = beaten(status=status)
    assert isinstance(event.data, AgentHeartbeat)
    assert event.data.status == "draining"
    changed = about_ada("agent.status-changed", status=status)
    assert isinstance(changed, AgentStatusChanged)
    assert changed.status == "draining"


def test_a_heartbeat_needs_no_id_and_no_time() -> None:
    headers = {"cloudEvents_type": "agent.heartbeat"}
    message = Message(body=b'{"agent_id": "ada"}', headers=headers)
    (event,) = decode(message, "agent.ada.heartbeat")
    assert event.id
    assert not event.dated


@pytest.mark.parametrize(
    "body", [b"{}", b'{"agent_id": null}', b'{"agent_id": 7.5}', b"[]", b"beat"]
)
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
        str(MILLISECONDS),
        str(MILLISECONDS // 1000),
        f"{MILLISECONDS // 1000}.0",
        Decimal(MILLISECONDS),
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
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
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


@pytest.mark.parametrize(
    ("value", "read"),
    [(7, "7"), (b"seven", "seven"), ("7", "7"), (7.0, "7"), (Decimal("7.0"), "7")],
)
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


def test_of_what_an_agent_measures_a_hundred_numbers_are_kept() -> None:
    many = {"load_metrics": {f"m{n}": n for n in range(101)} | {"x" * 201: 1}}
    message = Message(body=json.dumps({"agent_id": "ada", **many}).encode(), type="agent.heartbeat")
    (event,) = decode(message, "agent.ada.heartbeat")
    assert isinstance(event.data, AgentHeartbeat)
    assert list(event.data.load_metrics) == [f"m{n}" for n in range(100)]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf", None])
def test_what_is_no_number_is_not_measured_in_words_either(value: Any) -> None:
    told = {"agent_id": "ada", "load_metrics": {"cpu": 0.5, "gpu": value}}
    message = Message(body=json.dumps(told).encode(), type="agent.heartbeat")
    (event,) = decode(message, "agent.ada.heartbeat")
    assert isinstance(event.data, AgentHeartbeat)
    assert event.data.load_metrics == {"cpu": 0.5}


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


def test_the_lines_of_an_error_are_its_traceback_and_no_other_shape_of_it_loses_the_outcome() -> (
    None
):
    lines = said("task.failed", error={"message": "boom", "traceback": ["a.rb:1", "a.rb:2"]})
    assert isinstance(lines, TaskFailed)
    assert lines.error.traceback == "a.rb:1\na.rb:2"
    frames = said("task.failed", error={"message": "boom", "traceback": [{"line": 1}]})
    assert isinstance(frames, TaskFailed)
    assert (frames.error.message, frames.error.traceback) == ("boom", None)


@pytest.mark.parametrize("error", [404, True, ["boom"]])
def test_an_error_of_another_shape_is_refused_with_the_shapes_that_it_may_have(error: Any) -> None:
    with pytest.raises(MalformedMessage, match="give a text, or an object with `type` and `mess"):
        said("task.failed", error=error)


@pytest.mark.parametrize(("task_type", "read"), [(7, "7"), ([], None), ({"a": 1}, None)])
def test_a_task_is_given_back_whatever_its_producer_wrote_as_its_type(
    task_type: Any, read: str | None
) -> None:
    back = said("task.declined", task_type=task_type)
    assert isinstance(back, TaskDeclined)
    assert back.task_type == read


def test_a_whole_number_is_its_digits_where_a_text_is_meant() -> None:
    done = said("task.completed", task_id=7, result=7, agent_id="ada")
    assert isinstance(done, TaskCompleted)
    assert (done.task_id, done.result) == ("7", 7)
    gone = about_ada("agent.stopped", instance=4711)
    assert isinstance(gone, AgentStopped)
    assert gone.instance == "4711"
    event = beaten(instance=4711, running=[{"task_id": 7}], held=[])
    assert isinstance(event.data, AgentHeartbeat)
    assert event.data.instance == "4711"
    assert [one.task_id for one in event.data.running] == ["7"]
    assert event.left_out == ()


def test_a_declared_status_counts_without_metrics_that_are_no_numbers() -> None:
    changed = about_ada(
        "agent.status-changed", status="busy", load_metrics={"host": "a1", "cpu": 1}
    )
    assert isinstance(changed, AgentStatusChanged)
    assert (changed.status, changed.load_metrics) == ("busy", {"cpu": 1.0})


# --- registrations ----------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, []])
def test_a_registration_may_have_null_or_an_empty_array_for_what_is_empty(empty: Any) -> None:
    fields = {"metadata": empty, "endpoints": empty, "capabilities": empty, "tags": empty}
    given = {"agent_id": "ada", "agent_type": "worker", "version": None, **fields}
    expected = RegisterRequest(agent_id="ada", agent_type="worker")
    assert read_model(RegisterRequest, json.dumps(given).encode()) == expected


def test_a_list_may_be_an_object_whose_keys_are_numbers() -> None:
    """PHP makes one of an array from which an entry was taken."""
    given = {
        "agent_id": "ada",
        "agent_type": "worker",
        "capabilities": {"10": "c", "0": "a", "2": "b"},
    }
    read = read_model(RegisterRequest, json.dumps(given).encode())
    assert read.capabilities == ["a", "b", "c"]
    given["capabilities"] = {"first": "a"}
    with pytest.raises(ValidationError, match="capabilities"):
        read_model(RegisterRequest, json.dumps(given).encode())


def test_a_registration_may_have_numbers_for_texts_and_a_byte_order_mark() -> None:
    given = {"agent_id": "ada", "agent_type": "worker", "version": 2, "endpoints": {"port": 80}}
    read = read_model(RegisterRequest, b"\xef\xbb\xbf" + json.dumps(given).encode())
    assert (read.version, read.endpoints) == ("2", {"port": "80"})


AMQP_VALUE = b"\x00Sw\xa1\x1c" + b'{"agent_id":"ada","x":null}'
"""As clients of AMQP 1.0 send a text; RabbitMQ sets the property `type` of such a message."""


def test_a_body_that_is_a_value_of_amqp_1_0_is_refused_with_what_to_do() -> None:
    headers = {**HEAD, "cloudEvents_type": "agent.heartbeat"}
    for key in ("agent.heartbeat", "agent.stopped"):
        headers["cloudEvents_type"] = key
        message = Message(body=AMQP_VALUE, headers=headers, type="amqp-1.0")
        with pytest.raises(MalformedMessage, match="send the JSON as a data section"):
            decode(message, key.replace(".", ".ada."))
    with pytest.raises(ValidationError, match="send the JSON as a data section"):
        read_model(RegisterRequest, AMQP_VALUE)


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


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents-batch+json; charset=utf-8", BATCH]
)
def test_the_content_type_may_stand_among_the_headers(content_type: str) -> None:
    """The JavaScript SDK hands out its messages so."""
    body = json.dumps([ITEM]).encode()
    message = Message(body=body, content_type=None, headers={"content-type": content_type})
    (event,) = decode(message, "task.ada.started")
    assert (event.id, event.time) == ("1", NOW)


def test_an_empty_header_says_nothing() -> None:
    headers = {"cloudEvents_type": "", "cloudEvents_id": "", "cloudEvents_time": ""}
    body = b'{"task_id": "t", "agent_id": "ada"}'
    message = Message(
        body=body, headers=headers, type="task.started", message_id="1", timestamp=NOW
    )
    (event,) = decode(message, "task.ada.started")
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

"""The short way of a submission answers as the long one does, and is the one that is taken."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from coordinator.api.app import _Application
from coordinator.errors import BrokerUnavailable, CoordinatorError, OutcomeUnknown
from coordinator.protocol.message import Message
from tests.contract.fakes import Fakes, over

from .submitting_app import Broker, submitting_app

JSON = {"content-type": "application/json"}

BATCH = "/tasks/submit/batch"

PLAIN = b'{"task_data": {"task_type": "x", "text": "\\u00fc"}, "priority": "High"}'

REQUESTS: dict[str, tuple[bytes, dict[str, str]]] = {
    "plain": (PLAIN, JSON),
    "with a charset": (PLAIN, {"content-type": "application/json; charset=utf-8"}),
    "traced": (PLAIN, JSON | {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}),
    "traced badly": (PLAIN, JSON | {"traceparent": "no"}),
    "all there is": (
        b"""{"task_data": {"a": [1, {"b": null}]}, "priority": null, "requirements": {"capabilities":
        ["x", "x"], "agent_type": "worker", "services": null}, "timeout_seconds": "30",
        "max_attempts": 3, "backoff": {"factor": 2}, "delay_seconds": 60, "metadata": {"m": 1},
        "expires_at": "2099-01-01T00:00:00Z", "unknown": true}""",
        JSON,
    ),
    "unknown keys": (
        b"""{"task_data": {"x": 1}, "priorty": "high", "requirements": {"capabilites": ["gpu"]},
        "backoff": {"x": 1}, "chain_id": null, "depends_on": []}""",
        JSON,
    ),
    "scheduled": (b'{"task_data": {}, "not_before": "2026-01-01"}', JSON),
    "no content type": (PLAIN, {}),
    "another content type": (PLAIN, {"content-type": "text/plain"}),
    "nothing": (b"", JSON),
    "no JSON": (b'{"task_data": ', JSON),
    "not a number": (b'{"task_data": {"a": NaN}}', JSON),
    "half a pair": (b'{"task_data": {"a": "\\ud800"}}', JSON),
    "no object": (b"[]", JSON),
    "nothing required": (b"{}", JSON),
    "wrong types": (b'{"task_data": 3, "requirements": [], "max_attempts": 1.5}', JSON),
    "no such priority": (b'{"task_data": {}, "priority": "soon"}', JSON),
    "priority of another type": (b'{"task_data": {}, "priority": 3}', JSON),
    "twice": (b'{"task_data": {}, "delay_seconds": -1, "task_data": {"x": 1}}', JSON),
    "too large": (b'{"task_data": {"a": "' + b"x" * 1_100_000 + b'"}}', JSON),
}


BATCHES: dict[str, tuple[bytes, dict[str, str]]] = {
    "one": (b'{"tasks": [' + PLAIN + b"]}", JSON),
    "some": (b'{"tasks": [' + b", ".join([PLAIN] * 7) + b"]}", JSON),
    "each of the single ones": (
        b'{"tasks": ['
        + b", ".join(
            body
            for name, (body, _) in REQUESTS.items()
            if name not in ("nothing", "no JSON", "not a number", "half a pair")
        )
        + b"]}",
        JSON,
    ),
    "traced": (
        b'{"tasks": [' + PLAIN + b"]}",
        JSON | {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
    ),
    "unknown keys": (
        b'{"task": 1, "tasks": [{"task_data": {}, "priorty": "low"}, {"task_data": {}}]}',
        JSON,
    ),
    "types that are none": (
        b'{"tasks": [{"task_data": {"task_type": 3}}, {"task_data": {}}]}',
        JSON,
    ),
    "none": (b'{"tasks": []}', JSON),
    "an object for none": (b'{"tasks": {}}', JSON),
    "no list": (b'{"tasks": 3}', JSON),
    "no tasks": (b"{}", JSON),
    "no object": (b"[1]", JSON),
    "no JSON": (b'{"tasks": [', JSON),
    "not a number": (b'{"tasks": [{"task_data": {"a": NaN}}]}', JSON),
    "half a pair": (b'{"tasks": [{"task_data": {"a": "\\ud800"}}]}', JSON),
    "no content type": (b'{"tasks": [' + PLAIN + b"]}", {}),
    "too many": (b'{"tasks": [' + b", ".join([PLAIN] * 1001) + b"]}", JSON),
    "one too large": (
        b'{"tasks": [{"task_data": {"a": "' + b"x" * 1_100_000 + b'"}}, ' + PLAIN + b"]}",
        JSON,
    ),
    "large together": (
        b'{"tasks": ['
        + b", ".join([b'{"task_data": {"a": "' + b"x" * 600_000 + b'"}}'] * 2)
        + b"]}",
        JSON,
    ),
}


async def both_ways(
    fakes: Fakes, body: bytes, headers: dict[str, str], path: str = "/tasks/submit"
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    app = fakes.app()
    assert isinstance(app, _Application)
    answers = []
    for way in (app, app.ordinary):
        fakes.submitted.clear()
        async with over(way) as http:  # type: ignore[arg-type]  # any ASGI application will do
            answer = await http.post(path, content=body, headers=headers)
        head = sorted(answer.headers.items())
        submitted = [replace(one, batch=one.batch and "") for one in fakes.submitted]
        answers.append((answer.status_code, head, told(answer), submitted))
    return answers[0], answers[1]


def told(answer: httpx.Response) -> Any:
    """The body, but for what differs between any two submissions."""
    return json.loads(re.sub(r'"(timestamp|group)":"[^"]+"', '"\\1":""', answer.text))


@pytest.mark.parametrize(("body", "headers"), REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("path", ["/tasks/submit", "/v1/tasks/submit"])
async def test_both_ways_answer_the_same(body: bytes, headers: dict[str, str], path: str) -> None:
    short, long = await both_ways(Fakes(), body, headers, path)

    assert short == long


@pytest.mark.parametrize(("body", "headers"), BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_both_ways_answer_a_batch_the_same(
    body: bytes, headers: dict[str, str], prefix: str
) -> None:
    short, long = await both_ways(Fakes(), body, headers, f"{prefix}{BATCH}")

    assert short == long


MADE_UP = st.one_of(
    st.none(),
    st.integers(),
    st.fixed_dictionaries(
        {},
        optional={
            name: st.one_of(
                st.none(),
                st.booleans(),
                st.integers(-3, 400),
                st.floats(allow_nan=False, allow_infinity=False),
                st.sampled_from(["", "low", "1", "2099-01-01T00:00:00Z"]),
                st.lists(st.text(max_size=3), max_size=2),
                st.dictionaries(st.sampled_from(["task_id", "agent_id", "factor"]), st.text()),
            )
            for name in (
                *("task_data", "priority", "requirements", "timeout_seconds", "metadata"),
                *("max_attempts", "backoff", "delay_seconds", "not_before", "expires_at"),
            )
        },
    ),
)


@given(MADE_UP)
async def test_both_ways_answer_the_same_to_whatever_is_made_up(body: Any) -> None:
    short, long = await both_ways(Fakes(), json.dumps(body).encode(), JSON)

    assert short == long


@given(st.lists(MADE_UP, max_size=4))
async def test_both_ways_answer_the_same_to_whatever_batch_is_made_up(tasks: list[Any]) -> None:
    body = json.dumps({"tasks": [*tasks, json.loads(PLAIN)]}).encode()
    short, long = await both_ways(Fakes(), body, JSON, BATCH)

    assert short == long


SENT: list[Message] = []


class Recording(Broker):
    """Keeps what is published."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        SENT.append(message)

    async def publish_all(self, messages: Collection[Any], *, deadline: float) -> list[None]:
        SENT.extend(one.message for one in messages)
        return [None] * len(messages)


GOOD = st.fixed_dictionaries(
    {
        "task_data": st.dictionaries(
            st.sampled_from(["task_type", "a", "ü"]),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: (
                    st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
                ),
                max_leaves=4,
            ),
        )
    },
    optional={
        "priority": st.sampled_from(["low", "HIGH", None]),
        "timeout_seconds": st.integers(1, 9000),
        "requirements": st.fixed_dictionaries(
            {},
            optional={"capabilities": st.lists(st.sampled_from("abc")), "agent_type": st.just("w")},
        ),
        "backoff": st.fixed_dictionaries({}, optional={"factor": st.integers(1, 9)}),
        "delay_seconds": st.integers(1, 99),
        "metadata": st.dictionaries(st.text(), st.text()),
    },
)


@given(st.lists(GOOD, min_size=1, max_size=3))
async def test_both_ways_and_a_batch_send_the_same_messages(tasks: list[dict[str, Any]]) -> None:
    app = submitting_app(Recording)
    assert isinstance(app, _Application)
    sent = []
    for way in (app, app.ordinary):
        for path, bodies in (
            ("/tasks/submit", tasks),
            (BATCH, [{"tasks": tasks}]),
        ):
            SENT.clear()
            async with over(way) as http:  # type: ignore[arg-type]
                for body in bodies:
                    await http.post(path, content=json.dumps(body).encode(), headers=JSON)
            sent.append([all_but_what_is_new(message) for message in SENT])

    assert sent[0] == sent[1] == sent[2] == sent[3]


def all_but_what_is_new(message: Message) -> Any:
    """What a message holds, but for ids, times and tokens."""
    body = json.loads(message.body)
    for name in ("task_id", "submitted_at", "not_before", "task_token", "group"):
        body.pop(name, None)
    return body, message.type, message.headers, message.expiration, message.persistent


@pytest.mark.parametrize(
    "error",
    [
        BrokerUnavailable("away"),
        OutcomeUnknown("who knows", task_id="a1"),
        RuntimeError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    ("path", "body"), [("/tasks/submit", PLAIN), (BATCH, BATCHES["some"][0])], ids=["one", "batch"]
)
async def test_both_ways_tell_the_same_errors(error: Exception, path: str, body: bytes) -> None:
    fakes = Fakes()
    fakes.failure = error

    short, long = await both_ways(fakes, body, JSON, path)

    assert short[0] == (503 if isinstance(error, CoordinatorError) else 500)
    assert short == long


@pytest.mark.parametrize("warned", [None, "nobody is there"])
@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        (PLAIN, None),
        (
            b'{"task_data": {}, "priorty": "high"}',
            "These unknown keys were ignored: 'priorty' (did you mean 'priority'?).",
        ),
    ],
)
async def test_the_short_way_is_taken(warned: str | None, body: bytes, unknown: str | None) -> None:
    fakes = Fakes()
    fakes.warned = warned
    app = fakes.app()
    assert isinstance(app, _Application)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the long way was taken")

    assert app.first is not None
    app.first._app._ordinary = never  # type: ignore[attr-defined]
    async with over(app) as http:
        answer = await http.post("/tasks/submit", content=body, headers=JSON)
        batch = await http.post(BATCH, content=b'{"tasks": [%b]}' % body, headers=JSON)

    assert (answer.status_code, batch.status_code) == (200, 200)
    told = " ".join(filter(None, [warned, unknown]))
    assert answer.json().get("warning", "") == told
    assert batch.json()["results"][0].get("warning", "") == told


@pytest.mark.parametrize(
    ("path", "body"), [("/tasks/submit", PLAIN), (BATCH, BATCHES["some"][0])], ids=["one", "batch"]
)
async def test_a_request_with_a_key_goes_the_long_way(path: str, body: bytes) -> None:
    async with over(Fakes().app()) as http:
        answers = [
            await http.post(path, content=body, headers=JSON | {"idempotency-key": "k"})
            for _ in range(2)
        ]

    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]

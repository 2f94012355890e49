"""The short way of a submission answers as the long one does, and is the one that is taken."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from coordinator.api.app import _Application
from coordinator.errors import BrokerUnavailable, CoordinatorError, OutcomeUnknown
from tests.contract.fakes import Fakes, over

JSON = {"content-type": "application/json"}

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
        answers.append((answer.status_code, head, told(answer), list(fakes.submitted)))
    return answers[0], answers[1]


def told(answer: httpx.Response) -> Any:
    """The body, but for what differs between any two submissions."""
    return json.loads(re.sub(r'"timestamp":"[^"]+"', '"timestamp":""', answer.text))


@pytest.mark.parametrize(("body", "headers"), REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("path", ["/tasks/submit", "/v1/tasks/submit"])
async def test_both_ways_answer_the_same(body: bytes, headers: dict[str, str], path: str) -> None:
    short, long = await both_ways(Fakes(), body, headers, path)

    assert short == long


@given(
    body=st.fixed_dictionaries(
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
    )
)
async def test_both_ways_answer_the_same_to_whatever_is_made_up(body: dict[str, Any]) -> None:
    short, long = await both_ways(Fakes(), json.dumps(body).encode(), JSON)

    assert short == long


@pytest.mark.parametrize(
    "error",
    [
        BrokerUnavailable("away"),
        OutcomeUnknown("who knows", task_id="a1"),
        RuntimeError("a bug"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_both_ways_tell_the_same_errors(error: Exception) -> None:
    fakes = Fakes()
    fakes.failure = error

    short, long = await both_ways(fakes, PLAIN, JSON)

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

    assert app.lean_submit is not None
    app.lean_submit._ordinary = never  # type: ignore[attr-defined]
    async with over(app) as http:
        answer = await http.post("/tasks/submit", content=body, headers=JSON)

    assert answer.status_code == 200
    assert answer.json().get("warning", "") == " ".join(filter(None, [warned, unknown]))

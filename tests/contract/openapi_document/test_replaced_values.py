"""One value of a valid body, at whatever depth, is replaced by any other: the answer is never a failure, and
what is refused is named by its path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.bootstrap import Coordinator
from tests.contract.fakes import over
from tests.contract.submission.submitting_app import submitting_app

from .test_any_request import VALUES

Path = tuple[str | int, ...]

TASK: dict[str, Any] = {
    "task_data": {"task_type": "keywords", "pages": [1, {"from": 2}]},
    "priority": "high",
    "requirements": {
        "capabilities": ["text"],
        "services": ["execution"],
        "agent_type": "worker",
        "agent_id": "ada",
    },
    "timeout_seconds": 60,
    "progress_timeout_seconds": 5.5,
    "max_attempts": 3,
    "backoff": {"first_seconds": 1, "factor": 2, "longest_seconds": 60},
    "metadata": {"team": {"name": "a"}},
}

BODIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a submission": ("POST", "/tasks/submit", TASK | {"not_before": "2026-01-01T00:00:00Z"}),
    "one with a delay": ("POST", "/tasks/submit", TASK | {"delay_seconds": 0}),
    "one that expires": ("POST", "/tasks/submit", TASK | {"expires_in_seconds": 3600}),
    "a batch": ("POST", "/tasks/submit/batch", {"tasks": [TASK]}),
    "a schedule": (
        "POST",
        "/schedules",
        {
            "schedule_id": "nightly",
            "cron": "30 3 * * *",
            "timezone": "Europe/Vienna",
            "missed": "once",
            "task": TASK | {"delay_seconds": 0},
        },
    ),
    "a registration": (
        "POST",
        "/agents/register",
        {
            "agent_id": "ada",
            "agent_type": "worker",
            "capabilities": ["text"],
            "services": ["execution"],
            "task_types": ["keywords"],
            "endpoints": {"http": "http://localhost:9002"},
            "metadata": {"host": {"cores": [1, 2]}},
            "version": "1.0.0",
            "tags": ["blue"],
            "slots": 2,
        },
    ),
    "a heartbeat": (
        "POST",
        "/agents/ada/heartbeat",
        {"status": "busy", "load_metrics": {"cpu_usage": 0.5}},
    ),
    "a status": (
        "PUT",
        "/agents/ada/status",
        {"status": "busy", "load_metrics": {"cpu_usage": 0.5}},
    ),
    "a discovery": (
        "POST",
        "/agents/discover",
        {"status": "active", "capabilities": ["text"], "min_health_score": 0.5, "limit": 5},
    ),
    "a redrive": (
        "POST",
        "/tasks/dead/redrive",
        {
            "error_type": "ValueError",
            "lane": "any",
            "submitted_from": "2026-01-01T00:00:00Z",
            "rate_per_second": 5,
            "limit": 10,
            "dry_run": True,
        },
    ),
    "a retry": ("POST", "/tasks/t/retry", {"task_data": {"pages": [1]}, "delay_seconds": 5}),
    "a cancel": ("POST", "/tasks/t/cancel", {"reason": "by mistake"}),
    "an answer": ("POST", "/tasks/t/input", {"answer": {"a": [1]}, "question_id": "1"}),
}


def places(value: Any, at: Path = ()) -> Iterator[Path]:
    """Of each value in ``value``."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inside:
        yield (*at, key)
        if isinstance(one, dict | list):
            yield from places(one, (*at, key))


def replaced(value: Any, at: Path, new: Any) -> Any:
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = replaced(value[at[0]], at[1:], new)
    return copy


async def answer_to(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any], at: Path
) -> None:
    """Send ``body``, in which what stands ``at`` may be wrong."""
    headers = {"Content-Type": "application/json"}
    while True:
        answer = await client.request(method, path, content=json.dumps(body), headers=headers)
        told = answer.json()
        if told.get("code") != "ledger_behind":  # as a busy machine has it: ask again shortly
            break
    assert answer.status_code < 500, (path, body, told)
    if path == "/tasks/submit/batch" and answer.status_code == 200:
        verdicts: list[dict[str, Any]] = told["results"]
        told, at = (verdicts[0].get("error", {}) if verdicts else {}), at[2:]
        assert told.get("status_code", 200) < 500, (body, told)
    wrong = ".".join(map(str, at))
    for error in told.get("errors", ()):
        named = error["field"]
        assert wrong.startswith(named) or named.startswith(wrong), (path, body, wrong, told)
        assert named != "", (path, body, wrong, told)
        assert "pydantic" not in error["message"], told
    if "errors" not in told and answer.status_code == 400:
        assert wrong.endswith("priority"), (path, body, told)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**63, -(2**70), 10**400, 1e308, -0.0, 5e-324])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=140)
    | st.sampled_from(["", ".", "..", "\x00", "dead", "1", "true", "2026-01-31", "9" * 30, "UTC"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(("method", "path", "body"), BODIES.values(), ids=BODIES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_a_value_that_is_replaced_by_any_other_is_no_failure_and_is_named_where_it_is_refused(
    method: str, path: str, body: dict[str, Any], data: st.DataObject
) -> None:
    at = data.draw(st.sampled_from(list(places(body))), label="place")
    new = data.draw(values, label="value")
    async with over(submitting_app()) as client:
        await answer_to(client, method, path, replaced(body, at, new), at)


@pytest.mark.any_broker
async def test_no_value_at_whatever_depth_makes_the_service_fail(
    service: Coordinator, http: httpx.AsyncClient
) -> None:
    sent = 0
    for method, path, body in BODIES.values():
        for at in places(body):
            for value in VALUES:
                if len(at) > 1 or path in {"/schedules", "/agents/register"}:
                    await answer_to(http, method, path, replaced(body, at, value), at)
                    sent += 1
    assert sent > 800

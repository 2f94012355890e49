"""Who may call which endpoint: with no credential, with each role, and with a role for one's own alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from coordinator.access.audit_log import NAME, AuditLog
from coordinator.access.authenticator import Authenticator
from coordinator.access.key_ring import KeyRing
from coordinator.access.principal import Principal
from coordinator.access.request_rates import RequestRates
from coordinator.access.roles import Role
from coordinator.api.access_control.endpoint_roles import OPEN_PATHS, ROLES
from coordinator.broker.channel import Depth
from coordinator.errors import GroupNotFound
from coordinator.protocol.priority import Priority
from tests.contract.fakes import Fakes, a_task, an_agent, over
from tests.support.api_keys import KeysInMemory, authenticator_with

HOLDERS = {role.value: (role,) for role in Role} | {"other": (Role.PRODUCER,)}

EVERYBODY = frozenset(HOLDERS)
READERS = frozenset({"reader", "operator", "admin"})
PRODUCERS = frozenset({"producer", "other", "operator", "admin"})
OPERATORS = frozenset({"operator", "admin"})

TASK = {"task_data": {"task_type": "count"}}
REGISTRATION = {"agent_id": "ada", "agent_type": "worker"}
SCHEDULE = {"schedule_id": "nightly", "cron": "0 3 * * *", "task": TASK}

CALLS: dict[str, tuple[str, str, Any, frozenset[str]]] = {
    "health": ("GET", "/health", None, EVERYBODY),
    "root": ("GET", "/", None, EVERYBODY),
    "get_findings": ("GET", "/health/findings", None, OPERATORS),
    "whoami": ("GET", "/whoami", None, EVERYBODY),
    "submit_task": ("POST", "/tasks/submit", TASK, PRODUCERS),
    "submit_batch": ("POST", "/tasks/submit/batch", {"tasks": [TASK]}, PRODUCERS),
    "get_task": ("GET", "/tasks/task-1", None, READERS | {"producer"}),
    "list_task_events": ("GET", "/tasks/task-1/events", None, READERS | {"producer"}),
    "wait_for_task": ("GET", "/tasks/task-1/wait?timeout=0", None, READERS | {"producer"}),
    "stream_events": ("HEAD", "/events", None, READERS | {"producer", "other"}),
    "stream_task": ("HEAD", "/tasks/task-1/stream", None, READERS | {"producer"}),
    "explain_task": ("GET", "/tasks/task-1/explain", None, READERS | {"producer"}),
    "list_tasks": ("GET", "/tasks", None, READERS | {"producer", "other"}),
    "get_group": ("GET", "/groups/theirs", None, READERS | {"producer"}),
    "wait_for_group": ("GET", "/groups/theirs/wait?timeout=0", None, READERS | {"producer"}),
    "cancel_group": ("POST", "/groups/theirs/cancel", None, OPERATORS | {"producer"}),
    "cancel_task": ("POST", "/tasks/task-1/cancel", None, OPERATORS | {"producer"}),
    "answer_task": ("POST", "/tasks/task-1/input", {"answer": "yes"}, OPERATORS | {"producer"}),
    "retry_task": ("POST", "/tasks/task-1/retry", None, OPERATORS),
    "delete_task": ("DELETE", "/tasks/task-1", None, OPERATORS),
    "get_dead_tasks": ("GET", "/tasks/dead", None, READERS),
    "redrive_dead_tasks": ("POST", "/tasks/dead/redrive", None, OPERATORS),
    "get_task_status": ("GET", "/tasks/status", None, READERS),
    "get_queue_sizes": ("GET", "/tasks/queues", None, READERS),
    "get_queue_stats": ("GET", "/tasks/queues/stats", None, READERS),
    "clear_queue": ("POST", "/tasks/queues/low/clear", None, OPERATORS),
    "list_parked": ("GET", "/parked", None, OPERATORS),
    "get_parked": ("GET", "/parked/1", None, OPERATORS),
    "list_callbacks": ("GET", "/callbacks", None, READERS | {"producer", "other"}),
    "redrive_callbacks": ("POST", "/callbacks/redrive", None, OPERATORS | {"producer", "other"}),
    "list_schedules": ("GET", "/schedules", None, READERS),
    "get_schedule": ("GET", "/schedules/nightly", None, READERS),
    "create_schedule": ("POST", "/schedules", SCHEDULE, OPERATORS),
    "edit_schedule": ("PATCH", "/schedules/nightly", {"missed": "once"}, OPERATORS),
    "run_schedule": ("POST", "/schedules/nightly/run", None, OPERATORS),
    "pause_schedule": ("POST", "/schedules/nightly/pause", None, OPERATORS),
    "resume_schedule": ("POST", "/schedules/nightly/resume", None, OPERATORS),
    "delete_schedule": ("DELETE", "/schedules/nightly", None, OPERATORS),
    "register_agent": ("POST", "/agents/register", REGISTRATION, frozenset({"agent", "admin"})),
    "agent_heartbeat": ("POST", "/agents/ada/heartbeat", None, frozenset({"agent", "admin"})),
    "update_agent_status": (
        "PUT",
        "/agents/ada/status",
        {"status": "maintenance"},
        OPERATORS | {"agent"},
    ),
    "get_agent": ("GET", "/agents/ada", None, READERS | {"agent"}),
    "list_agents": ("GET", "/agents", None, READERS),
    "metrics": ("GET", "/metrics", None, READERS),
    "retire_lane": ("POST", "/tasks/queues/lanes/cap:nothing/retire", None, OPERATORS),
    "discover_agents": ("POST", "/agents/discover", None, READERS),
    "list_agent_tasks": ("GET", "/agents/ada/tasks", None, READERS),
    "drain_agent": ("POST", "/agents/ada/drain", None, OPERATORS),
    "remove_agent": ("DELETE", "/agents/ada", None, frozenset({"admin"})),
}
"""A request to each endpoint, and who may send it. The task is the producer's, the agent's key is ada's."""

STREAMS = ("/events", "/tasks/task-1/stream")
"""Asked for by HEAD here: their answers have no end."""


async def guarded(**changes: Any) -> tuple[FastAPI, Fakes, dict[str, str]]:
    """An application that asks for credentials, and one for each of `HOLDERS`."""
    fakes = Fakes()
    fakes.open("cap:nothing", Priority.NORMAL, Depth(0, 0))
    fakes.agents = fakes.browsing._agents = {"ada": an_agent(agent_id="ada")}
    fakes.groups.kept = [("theirs", "key:producer")]
    fakes.tasks = fakes.browsing._tasks = {"task-1": a_task(submitted_by="key:producer")}
    authenticator, secrets = await authenticator_with(**HOLDERS)
    changes = {"authenticator": authenticator, "scrape": _scrape} | changes
    return fakes.app(**changes), fakes, secrets


async def _scrape(accept: str) -> tuple[bytes, str]:
    return b"coordinator_ready 1\n", "text/plain"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def call(http: httpx.AsyncClient, endpoint: str, headers: dict[str, str]) -> httpx.Response:
    method, path, body, _ = CALLS[endpoint]
    return await http.request(method, path, json=body, headers=headers)


def test_every_endpoint_has_a_need_and_a_call_here() -> None:
    operations = [
        operation["operationId"]
        for methods in Fakes().app().openapi()["paths"].values()
        for operation in methods.values()
    ]
    operations += ["subscribe", "healthz"]  # the WebSocket, see test_websocket; not in the document
    assert (
        sorted(operations)
        == sorted(ROLES)
        == sorted([*CALLS, "live", "ready", "healthz", "subscribe"])
    )


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_without_a_credential_only_the_probes_and_the_pages_are_open(prefix: str) -> None:
    app, fakes, secrets = await guarded()
    async with over(app) as http:
        for path in sorted(OPEN_PATHS):
            assert (await http.get(f"{prefix}{path}")).status_code == 200
            assert (await http.head(f"{prefix}{path}")).status_code == 200
        for method, path, body, _ in CALLS.values():
            for headers in ({}, bearer("ackey_" + "x" * 43), {"X-API-Key": "a"}, bearer("a.b.c")):
                for query in ("", "&token=" if "?" in path else "?token="):
                    told = f"{prefix}{path}{query}{secrets['admin'] if query else ''}"
                    if query and path in STREAMS:
                        continue  # where it counts, see test_event_streams
                    answer = await http.request(method, told, json=body, headers=headers)
                    assert answer.status_code == 401, (method, told, answer.text)
                    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
                    assert method == "HEAD" or answer.json()["detail"]
        assert (await http.get(f"{prefix}/nowhere")).status_code == 401
        assert (await http.head(f"{prefix}/tasks")).status_code == 401
        assert (await http.options(f"{prefix}/tasks")).status_code == 401
    assert (fakes.submitted, fakes.cleared, fakes.registered, fakes.beats) == ([], [], [], [])


@pytest.mark.parametrize("endpoint", CALLS)
async def test_each_endpoint_lets_in_who_has_its_role_and_nobody_else(endpoint: str) -> None:
    allowed = CALLS[endpoint][3]
    for name in HOLDERS:
        app, fakes, secrets = await guarded()
        if "schedule" in endpoint and endpoint != "create_schedule":
            async with over(app) as http:
                made = {**SCHEDULE, "schedule_id": "nightly"}
                answer = await http.post("/schedules", json=made, headers=bearer(secrets["admin"]))
                assert answer.status_code == 200
        async with over(app) as http:
            answer = await call(http, endpoint, bearer(secrets[name]))
        if name in allowed:
            assert answer.status_code == 200, (name, answer.text)
            continue
        if name == "other" and "group" in endpoint:  # of which it has no task: there is none to it
            assert answer.status_code == 404
            assert answer.json()["detail"] == str(GroupNotFound("theirs"))
            continue
        assert answer.status_code == 403, (name, answer.text)
        needed = ROLES[endpoint].role
        assert needed is not None
        assert CALLS[endpoint][0] == "HEAD" or needed in answer.json()["detail"]
        assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]
        assert (fakes.submitted, fakes.cleared, fakes.registered) == ([], [], [])
        assert (fakes.beats, fakes.drained, fakes.asked_by) == ([], [], [])
        assert set(fakes.tasks) == {"task-1"}
        assert set(fakes.agents) == {"ada"}


async def test_a_key_is_taken_from_either_header() -> None:
    app, _, secrets = await guarded()
    async with over(app) as http:
        for headers in (bearer(secrets["reader"]), {"X-API-Key": secrets["reader"]}):
            assert (await http.get("/agents", headers=headers)).status_code == 200


async def test_an_agent_speaks_for_itself_alone() -> None:
    app, fakes, secrets = await guarded()
    fakes.agents["bob"] = an_agent(agent_id="bob")
    mine = bearer(secrets["agent"])
    async with over(app) as http:
        for method, path, body in (
            ("POST", "/agents/register", {"agent_id": "bob", "agent_type": "worker"}),
            ("POST", "/agents/register", {"agent_id": "ada2", "agent_type": "worker"}),
            ("POST", "/agents/bob/heartbeat", None),
            ("PUT", "/agents/bob/status", {"status": "active"}),
            ("GET", "/agents/bob", None),
            ("POST", "/agents/ada%2Fbob/heartbeat", None),
        ):
            answer = await http.request(method, path, json=body, headers=mine)
            assert answer.status_code == 403, (path, answer.text)
            assert "'ada' alone" in answer.json()["detail"]
    assert (fakes.registered, fakes.beats) == ([], [])


async def test_a_producer_is_told_of_its_own_tasks_alone() -> None:
    app, fakes, secrets = await guarded()
    async with over(app) as http:
        for name, whose in (("producer", "key:producer"), ("reader", None), ("operator", None)):
            await http.get("/tasks?state=dead", headers=bearer(secrets[name]))
            assert fakes.browsing.asked[0].submitted_by == whose
            await http.get("/callbacks", headers=bearer(secrets[name]))
            assert fakes.callbacks.asked[-1].submitted_by == whose
        for name, whose in (("producer", "key:producer"), ("operator", None)):
            await http.post("/callbacks/redrive", headers=bearer(secrets[name]))
            assert fakes.callbacks.asked[-1].submitted_by == whose
        missing = await http.get("/tasks/task-2", headers=bearer(secrets["producer"]))
        assert missing.status_code == 404


@pytest.mark.parametrize("extra", [{}, {"Accept-Language": "de", "Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize(
    ("path", "body"), [("/tasks/submit", TASK), ("/tasks/submit/batch", {"tasks": [TASK, TASK]})]
)
async def test_a_task_is_its_producers_by_the_short_way_and_the_long(
    path: str, body: Any, extra: dict[str, str]
) -> None:
    app, fakes, secrets = await guarded()
    async with over(app) as http:
        headers = bearer(secrets["producer"]) | extra
        answer = await http.post(path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        refused = await http.post(path, json=body, headers=bearer(secrets["reader"]) | extra)
        assert refused.status_code == 403
        assert "producer" in refused.json()["detail"]
    assert {task.submitted_by for task in fakes.submitted} == {"key:producer"}


async def test_two_callers_with_the_same_idempotency_key_are_two() -> None:
    app, fakes, secrets = await guarded()
    async with over(app) as http:
        for name in ("producer", "other", "producer"):
            headers = bearer(secrets[name]) | {"Idempotency-Key": "1"}
            answer = await http.post("/tasks/submit", json=TASK, headers=headers)
            assert answer.status_code == 200
    assert [one.submitted_by for one in fakes.submitted] == ["key:producer", "key:other"]


async def test_who_cancels_clears_and_redrives_is_passed_on() -> None:
    app, fakes, secrets = await guarded()
    async with over(app) as http:
        for endpoint in ("cancel_task", "clear_queue", "retry_task", "redrive_dead_tasks"):
            answer = await call(http, endpoint, bearer(secrets["operator"]))
            assert answer.status_code == 200
    assert fakes.asked_by == ["key:operator"] * 4


async def test_without_authentication_credentials_mean_nothing_and_nobody_is_named() -> None:
    fakes = Fakes()
    async with over(fakes.app()) as http:
        for headers in ({}, bearer("whatever"), {"X-API-Key": "x", "Authorization": "Basic YTpi"}):
            answer = await http.post("/tasks/submit", json=TASK, headers=headers)
            assert answer.status_code == 200
    assert {task.submitted_by for task in fakes.submitted} == {None}


@pytest.fixture
def audited() -> Iterator[list[dict[str, Any]]]:
    """The lines of the audit log."""
    lines: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.extend(json.loads(line) for line in record.getMessage().splitlines())

    kept, logger = Kept(), logging.getLogger(NAME)
    logger.addHandler(kept)
    yield lines
    logger.removeHandler(kept)


async def test_the_audit_log_says_who_did_what_to_which(audited: list[dict[str, Any]]) -> None:
    log = AuditLog()
    app, _, secrets = await guarded(audit=log)
    async with over(app) as http:
        for endpoint in ("submit_task", "submit_batch", "clear_queue", "retry_task", "drain_agent"):
            await call(http, endpoint, bearer(secrets["operator"]))
        await call(http, "get_task", bearer(secrets["operator"]))
        await call(http, "clear_queue", bearer(secrets["reader"]))
        await call(http, "clear_queue", {})
    log.flush()
    told = [
        {name: value for name, value in line.items() if name not in ("time", "address", "why")}
        for line in audited
    ]
    by = {"actor": "key:operator", "status": 200}
    assert told == [
        {**by, "action": "submit_task", "task_id": "task-1"},
        {
            **by,
            "action": "submit_batch",
            "accepted": 1,
            "rejected": 0,
            "unknown": 0,
            "task_ids": ["task-1"],
        },
        {**by, "action": "clear_queue", "priority": "low", "cleared_count": 7},
        {**by, "action": "retry_task", "task_id": "task-1"},
        {**by, "action": "drain_agent", "agent_id": "ada"},
        {"actor": "key:reader", "status": 403, "action": "clear_queue", "priority": "low"},
        {
            "actor": None,
            "status": 401,
            "action": "refused",
            "method": "POST",
            "path": "/tasks/queues/low/clear",
        },
    ]


ACTIONS: dict[str, dict[str, Any]] = {
    "submit_task": {"task_id": "task-1"},
    "submit_batch": {"accepted": 1, "rejected": 0, "unknown": 0, "task_ids": ["task-1"]},
    "cancel_task": {"task_id": "task-1"},
    "cancel_group": {"group_id": "theirs"},
    "answer_task": {"task_id": "task-1"},
    "retry_task": {"task_id": "task-1"},
    "delete_task": {"task_id": "task-1"},
    "redrive_dead_tasks": {"filter": {}, "dry_run": False},
    "clear_queue": {"priority": "low", "cleared_count": 7},
    "retire_lane": {"lane": "cap:nothing"},
    "redrive_callbacks": {"filter": {}, "dry_run": False},
    "create_schedule": {"schedule_id": "nightly"},
    "edit_schedule": {"schedule_id": "nightly"},
    "run_schedule": {"schedule_id": "nightly"},
    "pause_schedule": {"schedule_id": "nightly"},
    "resume_schedule": {"schedule_id": "nightly"},
    "delete_schedule": {"schedule_id": "nightly"},
    "register_agent": {"agent_id": "ada"},
    "update_agent_status": {"agent_id": "ada", "new_status": "maintenance"},
    "drain_agent": {"agent_id": "ada"},
    "remove_agent": {"agent_id": "ada"},
}
"""Of each endpoint that acts, what its line says beside who did it and what came of it."""


def test_the_audit_log_is_held_against_every_endpoint_that_acts() -> None:
    assert set(ACTIONS) == {endpoint for endpoint, need in ROLES.items() if need.acts}


@pytest.mark.parametrize("endpoint", ACTIONS)
async def test_the_audit_log_names_who_what_to_which_and_what_came_of_it(
    endpoint: str, audited: list[dict[str, Any]]
) -> None:
    log = AuditLog()
    app, _, secrets = await guarded(audit=log)
    async with over(app) as http:
        answer = await call(http, endpoint, bearer(secrets["admin"]))
    log.flush()
    [line] = audited
    assert line["action"] == endpoint
    assert (line["actor"], line["status"]) == ("key:admin", answer.status_code)
    assert line["address"]
    assert line | ACTIONS[endpoint] == line


async def test_the_audit_log_names_the_filter_of_what_was_done_to_many(
    audited: list[dict[str, Any]],
) -> None:
    log = AuditLog()
    app, _, secrets = await guarded(audit=log)
    operator = bearer(secrets["operator"])
    dead = {"error_type": "ValueError", "dry_run": True}
    async with over(app) as http:
        await http.post("/tasks/dead/redrive", json=dead, headers=operator)
        await http.post("/callbacks/redrive", json={"host": "x.example"}, headers=operator)
        await http.post("/tasks/dead/redrive", json={"eror": "x"}, headers=operator)
    log.flush()
    assert [line.get("filter") for line in audited] == [
        {"error_type": "ValueError"},
        {"host": "x.example"},
        None,
    ]


async def test_a_flood_of_refusals_is_a_few_lines(audited: list[dict[str, Any]]) -> None:
    log = AuditLog()
    app, _, _ = await guarded(audit=log)
    async with over(app) as http:
        for _ in range(200):
            await http.get("/tasks")
    log.flush()
    assert 20 <= len(audited) < 200


async def test_a_caller_beyond_its_rate_waits_and_is_told_how_long() -> None:
    app, fakes, secrets = await guarded(rates=RequestRates("4/hour"))
    mine, other = bearer(secrets["producer"]), bearer(secrets["other"])
    async with over(app) as http:
        first = await http.post("/tasks/submit", json=TASK, headers=mine)
        assert first.headers["RateLimit-Policy"] == '"default";q=4;w=3600'
        assert first.headers["RateLimit"].startswith('"default";r=3;t=')
        batch = await http.post("/tasks/submit/batch", json={"tasks": [TASK] * 3}, headers=mine)
        assert batch.status_code == 200
        for path, body in (("/tasks/submit", TASK), ("/tasks/submit/batch", {"tasks": [TASK]})):
            answer = await http.post(path, json=body, headers=mine)
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["RateLimit"].startswith('"default";r=0;t=')
            assert answer.json()["detail"]
        assert (await http.get("/health/ready")).status_code == 200
        assert (await http.post("/tasks/submit", json=TASK, headers=other)).status_code == 200
        many = await http.post("/tasks/submit/batch", json={"tasks": [TASK] * 4}, headers=other)
        assert many.status_code == 429
    assert len(fakes.submitted) == 5


async def test_without_authentication_the_rate_is_for_an_address() -> None:
    fakes = Fakes()
    async with over(fakes.app(rates=RequestRates("1/hour"))) as http:
        assert (await http.get("/agents")).status_code == 200
        assert (await http.get("/agents")).status_code == 429


async def test_who_has_no_credential_that_counts_is_limited_by_address() -> None:
    app, _, secrets = await guarded(rates=RequestRates("3/minute"))
    async with over(app) as http:
        wrong = [{}, bearer("ackey_" + "x" * 43), {"Authorization": "Basic YTpi"}, {}, {}]
        answers = [await http.get("/tasks", headers=headers) for headers in wrong]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) >= 1
        # Whoever has one is counted by it, at the same address.
        held = await http.get("/tasks", headers=bearer(secrets["reader"]))
        assert held.status_code == 200
        assert (await http.get("/health/live")).status_code == 200


SPELLINGS: dict[str, Callable[[str], list[tuple[str, str]]]] = {
    "as clients write it": lambda key: [("Authorization", f"Bearer {key}")],
    "in small letters": lambda key: [("authorization", f"bearer {key}")],
    "in capitals": lambda key: [("AUTHORIZATION", f"BEARER {key}")],
    "with spaces": lambda key: [("Authorization", f"Bearer   {key}  ")],
    "as a key": lambda key: [("x-api-key", key)],
    "twice the same": lambda key: [("X-API-Key", key), ("Authorization", f"Bearer {key}")],
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("extra", [{}, {"Idempotency-Key": "1"}], ids=["lean", "ordinary"])
async def test_a_key_counts_however_it_is_spelt_by_either_way(
    spelling: str, extra: dict[str, str]
) -> None:
    app, fakes, secrets = await guarded()
    async with over(app) as http:
        headers = [*SPELLINGS[spelling](secrets["producer"]), *extra.items()]
        answer = await http.post("/tasks/submit", json=TASK, headers=headers)
        assert answer.status_code == 200, answer.text
        wrong = [*SPELLINGS[spelling](secrets["producer"][:-1] + "~"), *extra.items()]
        assert (await http.post("/tasks/submit", json=TASK, headers=wrong)).status_code == 401
        two = [*headers, ("X-API-Key", secrets["admin"])]
        assert (await http.post("/tasks/submit", json=TASK, headers=two)).status_code == 401
    assert [task.submitted_by for task in fakes.submitted] == ["key:producer"]


async def test_jwts_count_where_keys_cannot_be_checked() -> None:
    """Their issuer says what counts, and the ledger nothing of it."""
    passed = 0.0
    ring = KeyRing(KeysInMemory([]), apart=0, monotonic=lambda: passed)
    await ring.look()
    app = Fakes().app(authenticator=Authenticator(ring, _AnyJwt()))
    passed = 1e6
    async with over(app) as http:
        assert (await http.get("/tasks", headers=bearer("a.b.c"))).status_code == 200
        unknown = await http.get("/tasks", headers=bearer("ackey_" + "x" * 43))
    assert unknown.status_code == 503


class _AnyJwt:
    """Takes every token for a reader's."""

    def find(self, token: str) -> Principal | None:
        return Principal(actor=f"jwt:{token}", roles=frozenset({Role.READER}))

    async def verify(self, token: str) -> Principal:
        raise AssertionError(token)

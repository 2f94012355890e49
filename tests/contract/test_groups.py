"""Groups and labels of tasks over HTTP: what may be asked, what is answered, and how a wrong one is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from coordinator.api.groups.group_answers import StateCounts
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State
from coordinator.errors import LedgerBehind, OutcomeUnknown
from tests.contract.fakes import Fakes, a_task, an_agent, over
from tests.contract.submission.submitting_app import submitting_app

TASK = {"task_data": {"task_type": "count"}}
NONE = {
    **dict.fromkeys(("scheduled", "queued", "running", "input_required", "waiting"), 0),
    **dict.fromkeys(("completed", "dead", "cancelled", "expired"), 0),
}


@pytest.fixture
def fakes() -> Fakes:
    fakes = Fakes()
    fakes.agents["ada"] = an_agent(agent_id="ada")
    fakes.tasks["task-1"] = a_task(group="report", tags=("a", "b"))
    return fakes


@pytest.fixture(params=["", "/v1"])
async def client(fakes: Fakes, request: pytest.FixtureRequest) -> AsyncIterator[httpx.AsyncClient]:
    app = fakes.app(metadata_keys=frozenset({"customer", "order"}))
    async with over(app) as client:
        client.base_url = client.base_url.join(request.param + "/")
        yield client


def ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert datetime.fromisoformat(body.pop("timestamp")).utcoffset() == timedelta(0)
    return body


async def test_tags_are_sorted_and_each_once_and_the_group_as_it_came(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    body = TASK | {"group": "report 7/a", "tags": ["b", "a", "b"]}
    assert (await client.post("tasks/submit", json=body)).status_code == 200
    (wish,) = fakes.submitted
    assert (wish.group, wish.batch, wish.tags) == ("report 7/a", None, ("a", "b"))


async def test_a_batch_is_a_group_of_its_own(client: httpx.AsyncClient, fakes: Fakes) -> None:
    answers = [
        ok(await client.post("tasks/submit/batch", json={"tasks": [TASK, TASK]})) for _ in range(2)
    ]
    groups = [answer["group"] for answer in answers]
    assert len(set(groups)) == 2
    assert [one.batch for one in fakes.submitted] == [
        *(groups[0], groups[0]),
        *(groups[1], groups[1]),
    ]
    found = ok(await client.get(f"groups/{groups[0]}"))
    assert found["group"]["total"] == 2


async def test_a_task_that_names_a_group_is_of_that_one_and_has_the_tags_of_the_batch_too(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    body = {"tasks": [TASK | {"group": "own", "tags": ["x"]}, TASK], "group": "all", "tags": ["y"]}
    assert ok(await client.post("tasks/submit/batch", json=body))["group"] == "all"
    assert [(one.group, one.tags) for one in fakes.submitted] == [
        ("own", ("x", "y")),
        ("all", ("y",)),
    ]


async def test_a_batch_of_tasks_with_ids_has_the_same_group_when_it_is_repeated(
    client: httpx.AsyncClient,
) -> None:
    tasks = [{"task_data": {"task_id": name}} for name in ("a", "b")]
    groups = {
        ok(await client.post("tasks/submit/batch", json={"tasks": tasks}))["group"]
        for _ in range(2)
    }
    assert len(groups) == 1
    other = ok(await client.post("tasks/submit/batch", json={"tasks": tasks[:1]}))
    assert other["group"] not in groups


async def test_a_batch_under_a_key_has_the_same_group_when_it_goes_on(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    headers = {"Idempotency-Key": "k"}
    fakes.verdicts = [OutcomeUnknown(task_id="t")]
    body = {"tasks": [TASK]}
    first = ok(await client.post("tasks/submit/batch", json=body, headers=headers))
    second = ok(await client.post("tasks/submit/batch", json=body, headers=headers))
    assert (first["unknown"], second["accepted"]) == (1, 1)
    assert first["group"] == second["group"]
    assert [one.batch for one in fakes.submitted] == [first["group"]] * 2


async def test_a_batch_of_which_nothing_was_accepted_has_no_group(
    client: httpx.AsyncClient,
) -> None:
    assert ok(await client.post("tasks/submit/batch", json={"tasks": [5]}))["group"] is None
    assert ok(await client.post("tasks/submit/batch", json={"tasks": []}))["group"] is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"group": ""}, "group must have 1 to 128 characters"),
        ({"group": "x" * 129}, "group must have 1 to 128 characters"),
        ({"group": ".."}, "group may not be '..': clients take it out of paths"),
        ({"group": "a\n"}, "group must consist of printable characters"),
        ({"group": 5}, "group: input should be a valid string"),
        ({"tags": ["x" * 65]}, "Each of tags must have 1 to 64 characters"),
        ({"tags": [""]}, "Each of tags must have 1 to 64 characters"),
        ({"tags": ["\x00"]}, "Each of tags must consist of printable characters"),
        ({"tags": [str(n) for n in range(17)]}, "tags has 17 entries; at most 16"),
        ({"tags": "a"}, "tags: input should be a valid list"),
        ({"tags": [1]}, "tags.0: input should be a valid string"),
    ],
)
async def test_a_group_or_a_tag_that_cannot_be_one_is_refused_with_a_sentence(
    wrong: dict[str, Any], sentence: str
) -> None:
    task = TASK | wrong
    async with over(submitting_app()) as client:
        for path, body in (
            ("/tasks/submit", task),
            ("/tasks/submit/batch", {"tasks": [TASK]} | wrong),
            ("/schedules", {"cron": "* * * * *", "task": task}),
        ):
            answer = await client.post(path, json=body)
            assert answer.status_code == 422, answer.text
            assert answer.json()["detail"].replace("task.", "").startswith(sentence)
        answer = await client.post("/tasks/submit/batch", json={"tasks": [task]})
        (result,) = ok(answer)["results"]
        assert result["error"]["status_code"] == 422
        assert result["error"]["detail"].removeprefix("task.").startswith(sentence)


async def test_a_group_tells_how_its_tasks_stand(client: httpx.AsyncClient) -> None:
    await client.post("tasks/submit", json=TASK | {"group": "a/b"})
    assert ok(await client.get("groups/a%2Fb")) == {
        "status": "success",
        "group": {
            "group_id": "a/b",
            "total": 1,
            "ended": 0,
            "progress": 0.0,
            "counts": NONE | {"queued": 1},
        },
    }


async def test_who_waits_is_told_whether_it_has_come_to_that(client: httpx.AsyncClient) -> None:
    await client.post("tasks/submit", json=TASK | {"group": "g"})
    for query in ("", "?until=any", "?until=any&more_than=1"):
        found = ok(await client.get(f"groups/g/wait{query}"))
        assert (found["reached"], found["group"]["total"]) == (False, 1)
    ok(await client.post("groups/g/cancel"))
    assert ok(await client.get("groups/g/wait"))["reached"] is True
    assert (await client.get("groups/g/wait?until=some")).status_code == 422
    assert (await client.get("groups/g/wait?timeout=61")).status_code == 422


async def test_a_cancelled_group_tells_the_numbers(client: httpx.AsyncClient, fakes: Fakes) -> None:
    for _ in range(3):
        await client.post("tasks/submit", json=TASK | {"group": "g"})
    body = {"reason": "a mistake", "tags": ["b", "a"], "limit": 5}
    assert ok(await client.post("groups/g/cancel", json=body)) == {
        "status": "success",
        "message": "3 tasks of the group cancelled",
        "group_id": "g",
        "cancelled": 3,
        "was": NONE | {"queued": 3},
        "left": 0,
        "group": {
            "group_id": "g",
            "total": 3,
            "ended": 3,
            "progress": 1.0,
            "counts": NONE | {"cancelled": 3},
        },
    }
    again = ok(await client.post("groups/g/cancel"))
    assert (again["cancelled"], again["left"]) == (0, 0)
    wanted = LabelFilter(group="g", tags=frozenset({"a", "b"}))
    assert fakes.groups.asked == [
        (wanted, 5, None, "a mistake", None),
        (LabelFilter(group="g"), 10_000, None, None, None),
    ]


@pytest.mark.parametrize("body", [{"limit": 0}, {"limit": 10_001}, {"tag": ["a"]}, {"tags": [""]}])
async def test_a_cancellation_that_is_not_understood_does_nothing(
    client: httpx.AsyncClient, fakes: Fakes, body: dict[str, Any]
) -> None:
    await client.post("tasks/submit", json=TASK | {"group": "g"})
    assert (await client.post("groups/g/cancel", json=body)).status_code == 422
    assert fakes.groups.asked == []


@pytest.mark.parametrize("call", [("GET", ""), ("GET", "/wait"), ("POST", "/cancel")])
async def test_a_group_without_a_task_is_none(
    client: httpx.AsyncClient, fakes: Fakes, call: tuple[str, str]
) -> None:
    method, rest = call
    answer = await client.request(method, f"groups/nobody's{rest}")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("Group not found")
    fakes.failure = LedgerBehind("not yet")
    answer = await client.request(method, f"groups/nobody's{rest}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_labels_reach_the_registry_from_every_list(
    client: httpx.AsyncClient, fakes: Fakes
) -> None:
    query = "group=g&tag=a&tag=b&metadata=customer=a=b&metadata=order=7"
    wanted = LabelFilter(
        group="g",
        tags=frozenset({"a", "b"}),
        metadata=frozenset({("customer", "a=b"), ("order", "7")}),
    )
    ok(await client.get(f"tasks?{query}"))
    assert fakes.browsing.asked[0].labels == wanted
    ok(await client.get(f"agents/ada/tasks?{query}"))
    assert fakes.browsing.labels == wanted
    ok(await client.get(f"tasks/dead?{query}"))
    body = {"group": "g", "tags": ["a", "b"], "metadata": {"customer": "a=b", "order": 7}}
    ok(await client.post("tasks/dead/redrive", json=body))
    assert [one.labels for one in fakes.filters] == [wanted, wanted]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "metadata=colour=red",
            "metadata: 'colour' is no key that tasks can be found by, there are",
        ),
        ("metadata=customer", "metadata: 'customer' must be KEY=VALUE, such as customer=acme"),
        ("metadata=order=1&metadata=order=2", "metadata: give each key once"),
        ("metadata=order=" + "x" * 201, "metadata: a value must be a string of up to 200"),
        ("tag=a" + "&tag=b" * 16, "tag: list should have at most 16 items"),
        ("group=a&group=b", "group: give it once"),
    ],
)
@pytest.mark.parametrize("path", ["tasks", "agents/ada/tasks", "tasks/dead"])
async def test_a_filter_that_cannot_match_is_refused_with_a_sentence(
    client: httpx.AsyncClient, path: str, query: str, sentence: str
) -> None:
    answer = await client.get(f"{path}?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(sentence)


async def test_a_task_is_told_with_its_group_and_tags(client: httpx.AsyncClient) -> None:
    found = [
        ok(await client.get("tasks/task-1"))["task"],
        ok(await client.get("tasks"))["tasks"][0],
        ok(await client.get("agents/ada/tasks"))["tasks"][0],
    ]
    assert [(one["group"], one["tags"]) for one in found] == [("report", ["a", "b"])] * 3


def test_the_document_names_the_count_of_every_state() -> None:
    assert StateCounts.model_fields.keys() == {state.value for state in State}

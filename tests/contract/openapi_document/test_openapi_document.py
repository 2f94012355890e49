"""The OpenAPI document and the page that shows it: complete, readable, and nothing from outside."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task import State
from coordinator.errors import InvalidRequest
from coordinator.protocol.id_limits import AGENT_WORDS, TASK_WORDS, check_path_id
from tests.contract.fakes import Fakes, over
from tests.support.api_keys import authenticator_with

PREFIXES = pytest.mark.parametrize("prefix", ["", "/v1"])


@pytest.fixture
def app() -> FastAPI:
    return Fakes().app()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with over(app) as client:
        yield client


@pytest.fixture
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


@PREFIXES
async def test_the_document_is_the_same_at_both_places(
    client: httpx.AsyncClient, document: dict[str, Any], prefix: str
) -> None:
    assert (await client.get(f"{prefix}/openapi.json")).json() == document


async def test_the_document_names_every_endpoint_of_the_contract_once(
    document: dict[str, Any],
) -> None:
    assert {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    } == {
        ("POST", "/agents/register"),
        ("POST", "/agents/discover"),
        ("GET", "/agents/{agent_id}"),
        ("DELETE", "/agents/{agent_id}"),
        ("PUT", "/agents/{agent_id}/status"),
        ("POST", "/agents/{agent_id}/heartbeat"),
        ("POST", "/agents/{agent_id}/drain"),
        ("POST", "/tasks/submit"),
        ("POST", "/tasks/submit/batch"),
        ("GET", "/tasks/status"),
        ("GET", "/tasks/{task_id}"),
        ("GET", "/tasks/{task_id}/explain"),
        ("GET", "/tasks/dead"),
        ("POST", "/tasks/dead/redrive"),
        ("POST", "/tasks/{task_id}/cancel"),
        ("POST", "/tasks/{task_id}/input"),
        ("POST", "/tasks/{task_id}/retry"),
        ("DELETE", "/tasks/{task_id}"),
        ("GET", "/tasks"),
        ("GET", "/tasks/{task_id}/events"),
        ("GET", "/tasks/{task_id}/wait"),
        ("GET", "/groups/{group_id}"),
        ("GET", "/groups/{group_id}/wait"),
        ("POST", "/groups/{group_id}/cancel"),
        ("GET", "/events"),
        ("GET", "/tasks/{task_id}/stream"),
        ("GET", "/agents"),
        ("GET", "/agents/{agent_id}/tasks"),
        ("GET", "/parked"),
        ("GET", "/parked/{position}"),
        ("GET", "/tasks/queues"),
        ("GET", "/tasks/queues/stats"),
        ("POST", "/tasks/queues/{priority}/clear"),
        ("POST", "/tasks/queues/lanes/{lane}/retire"),
        ("POST", "/schedules"),
        ("GET", "/schedules"),
        ("GET", "/schedules/{schedule_id}"),
        ("DELETE", "/schedules/{schedule_id}"),
        ("GET", "/callbacks"),
        ("POST", "/callbacks/redrive"),
        ("PATCH", "/schedules/{schedule_id}"),
        ("POST", "/schedules/{schedule_id}/run"),
        ("POST", "/schedules/{schedule_id}/pause"),
        ("POST", "/schedules/{schedule_id}/resume"),
        ("GET", "/health"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/health/findings"),
        ("GET", "/metrics"),
        ("GET", "/"),
        ("GET", "/whoami"),
    }


async def test_the_document_says_that_every_path_answers_below_v1_too(
    document: dict[str, Any],
) -> None:
    assert [server["url"] for server in document["servers"]] == ["/", "/v1"]


async def test_every_operation_has_a_tag_a_summary_a_description_and_an_id_of_its_own(
    document: dict[str, Any],
) -> None:
    known = {tag["name"] for tag in document["tags"]}
    found = list(operations(document))
    assert all(set(operation["tags"]) <= known for operation in found)
    assert all(operation["summary"] and operation["description"] for operation in found)
    ids = [operation["operationId"] for operation in found]
    assert len(ids) == len(set(ids))


async def test_every_error_has_the_shared_shape_and_an_example(document: dict[str, Any]) -> None:
    for operation in operations(document):
        for status, response in operation["responses"].items():
            if status == "200":
                continue
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}
            assert content["example"]["detail"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_request_body_shows_the_contracts_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["RegisterAgent"]["examples"][0]["agent_id"] == "hermes-agent"
    assert schemas["SubmitTaskBody"]["examples"][0] == {
        "task_data": {"model": "llama2", "prompt": "test prompt"},
        "priority": "normal",
        "requirements": {},
    }
    for name in ("DiscoverAgents", "UpdateStatus", "Heartbeat", "TaskRequirements"):
        assert schemas[name]["examples"]


@PREFIXES
async def test_the_page_and_all_that_it_loads_come_from_here(
    client: httpx.AsyncClient, prefix: str
) -> None:
    page = await client.get(f"{prefix}/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "://" not in page.text
    loaded = re.findall(r"""(?:href|src)="([^"]+)"|url: '([^']+)'""", page.text)
    addresses = [one or other for one, other in loaded]
    assert len(addresses) == 4
    for address in addresses:
        found = await client.get(str(page.url.join(address)))
        assert found.status_code == 200, address
        assert len(found.content) > 500


async def test_the_style_sheet_loads_nothing_from_outside(client: httpx.AsyncClient) -> None:
    css = (await client.get("/docs/assets/swagger-ui.css")).text
    loaded = re.findall(r"url\(\s*['\"]?([^'\")]+)", css)
    assert all(address.startswith("data:") for address in loaded)


async def test_the_validator_of_swaggers_own_site_is_not_asked(client: httpx.AsyncClient) -> None:
    assert '"validatorUrl": null' in (await client.get("/docs")).text


async def test_there_is_no_second_documentation_page(client: httpx.AsyncClient) -> None:
    assert (await client.get("/redoc")).status_code == 404


SCHEMA_WORDS = {
    *("$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum"),
    *(
        "examples",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
    ),
    *(
        "minItems",
        "minLength",
        "minimum",
        "pattern",
        "properties",
        "propertyNames",
        "required",
        "title",
        "type",
    ),
}


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """This one, and all that are in it."""
    yield part
    for inner in (part.get("properties") or {}).values():
        yield from schemas(inner)
    for inner in [*part.get("anyOf", []), part.get("items"), part.get("additionalProperties")]:
        if isinstance(inner, dict):
            yield from schemas(inner)


async def test_a_schema_has_only_words_that_schemas_have(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for part in schemas(schema):
            assert part.keys() <= SCHEMA_WORDS, name


async def test_what_a_request_may_leave_out_has_no_default_in_the_document(
    document: dict[str, Any],
) -> None:
    """Makers of clients take a key that has one for one that is always there."""
    known = document["components"]["schemas"]
    bodies = ["SubmitTaskBody", "CreateSchedule", "RegisterAgent", "RedriveDeadBody", "BatchBody"]
    for name in bodies:
        for part in schemas(known[name]):
            assert "default" not in part, name
    assert known["SubmitTaskBody"]["required"] == ["task_data"]
    assert known["CreateSchedule"]["properties"]["timezone"]["description"].endswith("`UTC`.")


async def test_a_body_that_may_be_left_out_is_no_union_with_null(document: dict[str, Any]) -> None:
    bodies = [one["requestBody"] for one in operations(document) if "requestBody" in one]
    assert all([*body["content"]["application/json"]["schema"]] == ["$ref"] for body in bodies)
    optional = [body for body in bodies if not body.get("required", False)]
    assert len(optional) == 7


async def test_the_document_says_whose_it_is(document: dict[str, Any]) -> None:
    assert document["info"]["license"] == {"name": "MIT", "identifier": "MIT"}
    assert document["info"]["contact"]["name"]


async def test_the_document_says_how_a_caller_is_known_and_where_nobody_has_to_be(
    document: dict[str, Any],
) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "X-API-Key")
    assert document["security"] == [{}, {"bearer": []}, {"apiKey": []}]
    authenticator, _ = await authenticator_with()
    guarded = Fakes().app(authenticator=authenticator).openapi()
    assert guarded["security"] == [{"bearer": []}, {"apiKey": []}]
    for path, methods in guarded["paths"].items():
        for operation in methods.values():
            is_open = path in ("/health/live", "/health/ready")
            assert ("401" in operation["responses"]) is not is_open, path
            assert (operation.get("security") == []) is is_open, path
    cleared = guarded["paths"]["/tasks/queues/{priority}/clear"]["post"]
    assert cleared["description"].endswith("Role: `operator`.")


async def test_states_and_statuses_are_enumerated_in_answers(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    states = [state.value for state in State]
    for shape, field in (
        *(("TaskShape", "state"), ("TaskSummaryShape", "state"), ("CancelledAnswer", "was")),
        *(("RedrivenAnswer", "was"), ("AgentShape", "status")),
    ):
        wanted = [one.value for one in AgentStatus] if field == "status" else states
        assert known[shape]["properties"][field]["enum"] == wanted


@pytest.mark.parametrize(
    ("word", "valid"),
    [
        *(
            (word, True)
            for word in ("a", "a b", " a", "nightly-1", "a/b", "é", "日本", "dead1", "...")
        ),
        *((word, False) for word in ("", " ", "a\nb", "a\x00", "\u200b", "x" * 129, ".", "..")),
    ],
)
async def test_the_pattern_of_ids_is_what_is_demanded_of_them(
    document: dict[str, Any], word: str, valid: bool
) -> None:
    known = document["components"]["schemas"]
    id_of_task = known["SubmitTaskBody"]["properties"]["task_data"]["properties"]["task_id"]
    id_of_agent = known["RegisterAgent"]["properties"]["agent_id"]
    for schema, words in ((id_of_task, TASK_WORDS), (id_of_agent, AGENT_WORDS)):
        for one, right in ((word, valid), *((taken, False) for taken in words)):
            assert Draft202012Validator(schema).is_valid(one) is right, one
            try:
                check_path_id(one, "it", field="id", words=words)
            except InvalidRequest:
                assert not right
            else:
                assert right

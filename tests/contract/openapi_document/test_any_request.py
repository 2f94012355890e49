"""Whatever a request holds, its answer is one that the document describes, and never a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from coordinator.access.request_rates import RequestRates
from coordinator.access.roles import Role
from coordinator.bootstrap import Coordinator
from tests.contract.fakes import Fakes
from tests.support.api_keys import authenticator_with

from .exploring import explore


@pytest.mark.slow
async def test_no_request_that_can_be_made_up_gets_an_undocumented_answer() -> None:
    (statuses,) = await explore(Fakes().app(), examples=25)
    assert statuses.total() > 300


@pytest.mark.slow
async def test_no_request_that_can_be_made_up_fails_where_credentials_are_asked_for() -> None:
    authenticator, secrets = await authenticator_with(
        admin=(Role.ADMIN,), producer=(Role.PRODUCER,)
    )
    app = Fakes().app(authenticator=authenticator, rates=RequestRates("100000/second"))
    holders = [{"Authorization": f"Bearer {secrets[name]}"} for name in ("admin", "producer")]
    admin, producer, nobody = await explore(app, examples=10, callers=[*holders, {}])
    for statuses in (admin, producer, nobody):
        assert statuses.total() > 120
        assert not any(status >= 500 for status in statuses)
    assert nobody.keys() == {200, 401}  # the probes are open
    assert admin[401] == producer[401] == 0
    assert producer[403] > 0 == admin[403]


VALUES: list[Any] = [
    *(None, True, 0, -1, 0.5, 1e308, 2**70),
    *("", "x" * 300, "\x00", "2026-01-31T12:00:00", "."),
    *([], [None], ["a", 1], {}, {"a": {"b": [1]}}, {"": None}),
]


def _bodies(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each body of the examples, with one key that it may have replaced by each of `VALUES`."""
    known = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation:
                text = json.dumps(operation["requestBody"])
                schema = known[text.split("#/components/schemas/")[1].split('"')[0]]
                (example,) = schema["examples"]
                for name in schema["properties"]:
                    for value in VALUES:
                        yield method, path, example | {name: value}


@pytest.mark.any_broker
async def test_no_value_in_the_place_of_another_makes_the_service_fail(
    service: Coordinator, http: httpx.AsyncClient
) -> None:
    registered = {"agent_id": "a", "agent_type": "worker"}
    assert (await http.post("/agents/register", json=registered)).status_code == 200
    sent = 0
    for method, path, body in _bodies(service.app.openapi()):
        where = re.sub(r"{\w+}", "a", path)
        # Not httpx's own JSON, which refuses what others send.
        content, headers = json.dumps(body), {"Content-Type": "application/json"}
        answer = await http.request(method, where, content=content, headers=headers)
        assert answer.status_code < 500, (method, path, body, answer.text)
        sent += 1
    assert sent > 800

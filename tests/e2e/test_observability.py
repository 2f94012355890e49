"""A real Prometheus scrapes a running system, and each expression of `deploy/` finds something there."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers import Agent, Task
from tests.e2e.processes import client, ready, service
from tests.support.broker import Broker
from tests.support.prometheus import running_prometheus
from tests.support.waiting import eventually

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "observability"
DOCS = Path(__file__).resolve().parents[2] / "docs"
ENVIRONMENT = {
    "COORDINATOR_PROJECTOR": "own",
    "COORDINATOR_METRICS_AGENTS": "10",
    "COORDINATOR_MAX_LANES": "1",
}


def expressions() -> dict[str, str]:
    """By where they stand."""
    found: dict[str, str] = {}
    dashboard = json.loads((FOLDER / "grafana" / "dashboard.json").read_text())
    for number, expression in enumerate(_within(dashboard, "expr")):
        found[f"dashboard {number}: {expression}"] = expression.replace("$__rate_interval", "20s")
    scaled = yaml.safe_load((FOLDER / "keda-scaledobject.yaml").read_text())
    [found["KEDA"]] = _within(scaled, "query")
    rules = [
        rule
        for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    for rule in rules:
        # Without its threshold, which is not reached where all is well.
        for part in re.split(r" and on \(lane\) ", " ".join(rule["expr"].split())):
            bare = re.sub(r" (>|==) [0-9.]+$", "", part.strip())
            found[f"alert: {rule['alert']}: {bare}"] = _soon(bare)
    for page in sorted(DOCS.rglob("*.md")):
        for block in re.findall(
            r"^```promql\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL
        ):
            for line in block.splitlines():
                found[f"{page.name}: {line}"] = _soon(line)
    return found


def _within(tree: Any, name: str) -> list[str]:
    """Each value of this name, wherever it stands."""
    if isinstance(tree, list):
        return [one for item in tree for one in _within(item, name)]
    if not isinstance(tree, dict):
        return []
    here = [tree[name]] if isinstance(tree.get(name), str) else []
    return [*here, *(one for item in tree.values() for one in _within(item, name))]


def _soon(expression: str) -> str:
    """Over a time that the test has."""
    return re.sub(r"\[\d+m\]", "[20s]", expression)


def an_agent(amqp_url: str, folder: Path) -> Agent:
    agent = Agent(
        "ada",
        capabilities=["text"],
        slots=4,
        amqp_url=amqp_url,
        cache_dir=folder / "ada",
        metrics_port=0,
    )

    @agent.default
    async def default(task: Task) -> str:
        if task.data.get("bad"):
            raise LookupError("nothing there")
        return "done"

    return agent


@pytest.mark.slow
@pytest.mark.any_broker
async def test_every_expression_finds_something(broker: Broker, tmp_path: Path) -> None:
    async with (
        service(broker.url, tmp_path / "data", environment=ENVIRONMENT) as (_, url),
        client(url) as http,
        an_agent(broker.url, tmp_path).running() as life,
    ):
        await ready(http)
        assert life.metrics_url is not None
        targets = {
            "coordinator": [url.removeprefix("http://")],
            "coordinator-agents": [life.metrics_url.split("/")[2]],
        }

        async def work() -> None:
            """A little of everything, again and again."""
            gpu = {"requirements": {"capabilities": ["gpu"]}}
            bodies: list[dict[str, Any]] = [
                {"task_data": {}, "priority": "urgent"},
                {"task_data": {"bad": True}, "max_attempts": 2, "backoff": {"first_seconds": 0.1}},
                {"task_data": {}, **gpu},
                {"task_data": {}, "requirements": {"capabilities": ["one lane too many"]}},
            ]
            while True:
                answers = [await http.post("/tasks/submit", json=body) for body in bodies]
                assert [one.status_code for one in answers] == [200, 200, 200, 422]
                many: dict[str, Any] = {"tasks": [{"task_data": {}}] * 2}
                assert (await http.post("/tasks/submit/batch", json=many)).status_code == 200
                await asyncio.sleep(0.5)

        async with running_prometheus(
            tmp_path / "prometheus", targets, shipped=FOLDER / "prometheus.yml"
        ) as prometheus:
            working = asyncio.create_task(work())
            try:
                missing = expressions()
                assert len(missing) > 60

                async def found_all() -> bool:
                    if working.done():
                        working.result()
                    for place, expression in list(missing.items()):
                        if await prometheus.query(expression):
                            del missing[place]
                    return not missing

                try:
                    await eventually(found_all, timeout=90)
                except AssertionError:
                    raise AssertionError(f"nothing found: {missing}") from None
                waiting = await prometheus.query(expressions()["KEDA"])
                assert float(waiting[0]["value"][1]) > 0
            finally:
                working.cancel()

"""The alert rules are valid, and call when they should, by Prometheus' own tool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from coordinator import errors
from coordinator.metrics.metric_catalogue import CATALOGUE, Kind
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.requirements import Requirements
from tests.support.tools import tool

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "observability"


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [tool("promtool", package="prometheus"), *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_when_it_calls_and_when_it_does_not() -> None:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    judged = [one for test in tests for one in test["alert_rule_test"]]
    alerts = {rule["alert"] for rule in rules}
    assert {one["alertname"] for one in judged if one.get("exp_alerts")} == alerts
    assert {one["alertname"] for one in judged if not one.get("exp_alerts")} == alerts


@pytest.mark.parametrize(
    "path", [path for path in FOLDER.rglob("*") if path.suffix in (".yml", ".yaml", ".json")]
)
def test_what_is_named_is_a_metric_of_the_service_or_of_an_agent(path: Path) -> None:
    known = {"coordinator_agent"}
    for metric in CATALOGUE:
        endings = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        known |= {metric.name + ending for ending in endings}
    named = set(re.findall(r"\bcoordinator_[a-z_]+\b", path.read_text()))
    ours = {name for name in named if not name.startswith("coordinator_agent_")}
    assert ours <= known


def test_the_reasons_that_an_alert_looks_for_are_errors() -> None:
    looked_for = re.findall(r'reason=~"([A-Za-z|]+)"', (FOLDER / "alerts.yml").read_text())
    reasons = [name for one in looked_for for name in one.split("|")]
    assert len(reasons) > 4
    assert [name for name in reasons if not hasattr(errors, name)] == []


@pytest.mark.parametrize(
    ("needs", "counts"),
    [
        ({"capabilities": ("gpu",)}, True),
        ({"capabilities": ("gpu", "fp8")}, True),
        ({"capabilities": ("zeta", "gpu")}, True),
        ({"capabilities": ("gpu",), "agent_type": "specialist"}, True),
        ({"capabilities": ("gpu2",)}, False),
        ({"capabilities": ("big-gpu",)}, False),
        ({"capabilities": ("cap:gpu",)}, False),
        ({"agent_type": "gpu"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("task_type", [None, "train"])
@pytest.mark.parametrize("long", [False, True])
def test_agents_are_scaled_by_the_lanes_that_ask_for_their_capability(
    needs: dict[str, Any], task_type: str | None, counts: bool, long: bool
) -> None:
    scaled = yaml.safe_load((FOLDER / "keda-scaledobject.yaml").read_text())
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    (expression,) = set(re.findall(r'lane=~"([^"]+)"', query))
    lane = lane_name(Requirements(**needs, task_type=task_type), long=long)
    assert bool(re.fullmatch(expression, lane)) == counts, lane

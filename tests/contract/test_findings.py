"""`GET /health/findings`, and the page of the dashboard that shows all of it."""

from __future__ import annotations

import html
from dataclasses import replace

from coordinator.api.ports.query_ports import Findings
from coordinator.doctor.checks.finding import Finding
from coordinator.doctor.diagnosis import CHECKS, check_settings, diagnose
from coordinator.doctor.shared_examination import Examined
from tests.unit.doctor.healthy import HEALTHY

from .fakes import Fakes, over
from .test_dashboard import visiting

WELL = diagnose(HEALTHY)
ILL = diagnose(replace(HEALTHY, broker="it does not answer", management="neither does that"))
FINDINGS = [*check_settings(["COORDINATOR_X is no setting"], "Each counts <apart>"), *WELL, *ILL]


async def examine() -> Findings:
    return Examined(findings=FINDINGS, seconds_ago=3.0)


async def test_what_the_doctor_says_is_told_with_the_worst_level() -> None:
    async with over(Fakes().app(examine=examine)) as http:
        told = (await http.get("/health/findings")).json()
    assert told["level"] == "problem"
    assert [Finding(**one) for one in told["findings"]] == FINDINGS
    assert told["examined_at"] < told["timestamp"]


async def test_a_service_that_nothing_examines_says_where_the_doctor_is() -> None:
    async with over(Fakes().app(examine=None)) as http:
        told = await http.get("/health/findings")
    assert told.status_code == 404
    assert "run `coordinator doctor`" in told.json()["detail"]


async def test_the_page_on_health_shows_each_finding_of_every_check_with_what_puts_it_right() -> (
    None
):
    assert {one.level for one in FINDINGS} == {"ok", "warning", "problem"}
    assert len(CHECKS) > 10
    async with visiting(Fakes(), examine=examine) as http:
        page = html.unescape((await http.get("/dashboard/health")).text)
    for one in FINDINGS:
        assert f'<td class="wide">{one.check}</td><td class="text">{one.text}</td>' in page
        assert one.fix is None or f"<code>{one.fix}</code>" in page


async def test_without_findings_the_page_says_where_to_look() -> None:
    async with visiting(Fakes(), examine=None) as http:
        assert "run <code>coordinator doctor</code>" in (await http.get("/dashboard/health")).text

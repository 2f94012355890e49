"""Traces are off until the environment names a collector, and cost no import until then."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

import pytest

from coordinator.tracing import trace_export
from coordinator.tracing.trace_export import export_wanted, flush_spans, start_tracing

HERE = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": HERE}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SDK_DISABLED": "true"}, False),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            True,
        ),
    ],
)
def test_the_standards_variables_switch_it_on_and_off(
    environment: dict[str, str], wanted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    assert export_wanted(environment) is wanted
    assert not caplog.records


@pytest.mark.parametrize(
    "asked", [{"OTEL_TRACES_EXPORTER": "console"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}]
)
def test_what_is_asked_for_and_not_there_is_told(
    asked: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert not export_wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE} | asked)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert next(iter(asked)) in record.getMessage()


def test_an_endpoint_without_the_extra_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE}
    assert not start_tracing("x", instance="y", environment=environment)
    assert "rabbitmq-agent-coordinator[otel]" in caplog.text


def test_a_variable_that_the_sdk_cannot_read_is_a_warning_and_no_end() -> None:
    code = "from coordinator.tracing.trace_export import start_tracing as s; print(s('x', instance='y'))"
    told = os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, "OTEL_SPAN_EVENT_COUNT_LIMIT": "soon"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"
    assert "OTEL_SPAN_EVENT_COUNT_LIMIT" in ran.stderr


def test_a_collector_that_does_not_answer_holds_up_nobody_who_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    class Provider:
        def force_flush(self) -> None:
            answered.wait(60)

    monkeypatch.setattr(trace_export, "_own", [Provider()])
    try:
        flush_spans(timeout=0.01)
        assert not answered.is_set()
    finally:
        answered.set()


def test_an_agent_without_a_collector_imports_nothing_of_opentelemetry() -> None:
    code = (
        "import asyncio, sys; from consumers import Agent\n"
        "async def main():\n"
        "    agent = Agent('quiet'); agent.default(lambda task: None); agent.running()\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_service_without_a_collector_makes_no_span_and_imports_nothing_for_it() -> None:
    """FastAPI imports the API package by itself, where that is installed."""
    code = (
        "import asyncio, sys\n"
        "from coordinator.commands import cli\n"
        "from coordinator.bootstrap import running\n"
        "from coordinator.commands.observability.traced_service import is_traced, traced_service\n"
        "from coordinator.web_server import http_server\n"
        "async def main():\n"
        "    async with traced_service() as watched:\n"
        "        print(is_traced(watched))\n"
        "asyncio.run(main())\n"
        "print(*sorted(name for name in sys.modules if name.startswith(('opentelemetry.', 'coord'))))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    traced, names = ran.stdout.splitlines()
    assert traced == "False"
    parts = {".".join(name.split(".")[:2]) for name in names.split()}
    assert {
        "opentelemetry.sdk",
        "opentelemetry.exporter",
        "opentelemetry.instrumentation",
    }.isdisjoint(parts)
    assert [name for name in names.split() if name.startswith("coordinator.tracing.")] == [
        "coordinator.tracing.exporter_log",
        "coordinator.tracing.trace_export",
    ]
    assert "coordinator.web_server.http_server" in names
    assert "coordinator.web_server.traced_application" not in names

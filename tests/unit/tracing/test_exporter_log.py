"""A collector that is away is told of once in a while, and not at each try."""

from __future__ import annotations

import logging
import subprocess
import sys

from coordinator.tracing.exporter_log import OnceInAWhile


def record() -> logging.LogRecord:
    return logging.LogRecord("exporter", logging.WARNING, "", 0, "no answer", None, None)


def test_the_first_line_passes_and_later_ones_once_in_a_while_with_their_number() -> None:
    times = iter((0.0, 1.0, 30.0, 59.0, 60.0, 120.0))
    lets = OnceInAWhile(every=60, clock=lambda: next(times))
    seen = [record() for _ in range(6)]
    assert [lets.filter(one) for one in seen] == [True, False, False, False, True, True]
    assert [vars(one).get("left_out") for one in seen] == [None, None, None, None, 3, None]


SCRIPT = """
import socket
from coordinator.logging_setup import set_up_logging
from coordinator.tracing.trace_export import start_tracing
set_up_logging(level="info", style="json")
with socket.socket() as nobody:
    nobody.bind(("127.0.0.1", 0))
    endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    import os
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1"
    assert start_tracing("a", instance="b")
    from opentelemetry import trace
    for _ in range(3):
        trace.get_tracer("a").start_span("one").end()
        trace.get_tracer_provider().force_flush()
"""


def test_the_exporter_says_so_once_however_often_it_tries() -> None:
    """In a process of its own, which has one tracer provider for good."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stderr.count("proto.http.trace_exporter") == 1

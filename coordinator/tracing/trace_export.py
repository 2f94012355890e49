"""Starts OpenTelemetry's exporter where the environment names a collector, by the standard's own variables.

Without one nothing of OpenTelemetry is imported, and no span is made.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from coordinator.environment import value_of
from coordinator.missing_extra import install_line

from .exporter_log import EXPORTER_LOGGER, OnceInAWhile

__all__ = ["export_wanted", "flush_spans", "start_tracing"]

logger = logging.getLogger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTER = "OTEL_TRACES_EXPORTER"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
DISABLED = "OTEL_SDK_DISABLED"
OTLP, HTTP = "otlp", "http/protobuf"


def start_tracing(
    service: str, *, instance: str, environment: Mapping[str, str] = os.environ
) -> bool:
    """Whether spans are to be made in this process: the environment says where to send them, or the program
    around has set up OpenTelemetry itself, whose provider is then used as it is.

    ``service`` and ``instance`` are told of the process, unless `OTEL_SERVICE_NAME` or
    `OTEL_RESOURCE_ATTRIBUTES` say otherwise. Called again it changes nothing.
    """
    if _set_up_already():
        return True
    if not export_wanted(environment):
        return False
    try:
        provider = _exporting_provider(service, instance)
    except ModuleNotFoundError as exc:
        logger.warning(
            "no traces are sent, although the environment says where to: %s is not installed, run"
            " %s",
            exc.name,
            install_line("otel"),
        )
        return False
    except ValueError as exc:  # the SDK's own: a variable that is no number, say
        logger.warning("no traces are sent: a variable of OpenTelemetry cannot be read: %s", exc)
        return False
    from opentelemetry import trace  # noqa: PLC0415 - see the module

    trace.set_tracer_provider(provider)
    logging.getLogger(EXPORTER_LOGGER).addFilter(OnceInAWhile())
    _own.append(provider)
    return True


def export_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names a collector, and nothing in it forbids to send there. What it asks for
    and is not there is told in the log.
    """
    if (value_of(DISABLED, environment) or "").lower() == "true":
        return False
    exporter = value_of(EXPORTER, environment)
    if exporter is None:
        if all(value_of(name, environment) is None for name in ENDPOINTS):
            return False
    elif exporter != OTLP:
        if exporter != "none":
            logger.warning("no traces are sent: %s=%s, and only otlp is there", EXPORTER, exporter)
        return False
    told = [found for name in PROTOCOLS if (found := value_of(name, environment)) is not None]
    if told and told[0] != HTTP:
        logger.warning(
            "no traces are sent: %s=%s, and only %s is there", PROTOCOLS[1], told[0], HTTP
        )
        return False
    return True


def flush_spans(timeout: float = 3.0) -> None:
    """Send what was not sent yet, for at most ``timeout`` seconds; only by an exporter that was started here.
    Blocks.
    """
    for provider in _own:
        # The SDK's own flush, like its end with the interpreter, waits as long as the exporter tries.
        last = threading.Thread(target=provider.force_flush, name="last spans", daemon=True)
        last.start()
        last.join(timeout)


_own: list[Any] = []
"""The provider that was made here: one for a process, which ends with it."""


def _set_up_already() -> bool:
    """Without importing OpenTelemetry for it: nobody has, where it was not."""
    if "opentelemetry.trace" not in sys.modules:
        return False
    from opentelemetry import trace  # noqa: PLC0415 - it is there

    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _exporting_provider(service: str, instance: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see the module
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    told = {"service.instance.id": instance}
    if value_of("OTEL_SERVICE_NAME") is None:
        told["service.name"] = service
    provider = TracerProvider(
        resource=Resource.create({**told, **_told_otherwise()}),
        shutdown_on_exit=False,  # see `flush_spans`
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _told_otherwise() -> dict[str, str]:
    """What the environment says of the process counts more; `Resource.create` has it the other way round."""
    pairs = (value_of("OTEL_RESOURCE_ATTRIBUTES") or "").split(",")
    told = (pair.partition("=") for pair in pairs)
    return {
        name.strip(): value.strip()
        for name, _, value in told
        if name.strip() in ("service.name", "service.instance.id")
    }

"""Fits tracing into the service, in a process where it is configured: else nothing of it is imported."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator

from coordinator.bootstrap import Replacements
from coordinator.bootstrap.replacements import NONE
from coordinator.tracing.trace_export import flush_spans, start_tracing

__all__ = ["is_traced", "traced_service"]

SERVICE = "coordinator"
"""The `service.name` of its spans, unless the environment gives another."""


@contextlib.asynccontextmanager
async def traced_service() -> AsyncIterator[Replacements]:
    """What watches the service for spans; nothing where tracing is not configured. The last spans are sent
    when the block is left, which takes some seconds at most.
    """
    try:
        yield _watching()
    finally:
        await asyncio.to_thread(flush_spans)


def _watching() -> Replacements:
    if not start_tracing(SERVICE, instance=f"{socket.gethostname()}-{os.getpid()}"):
        return NONE
    from coordinator.tracing.fold_spans import FoldSpans  # noqa: PLC0415 - needs OpenTelemetry
    from coordinator.tracing.log_trace_ids import TraceIds  # noqa: PLC0415
    from coordinator.tracing.publish_spans import PublishSpans, begin_trace  # noqa: PLC0415

    for handler in logging.getLogger().handlers:
        handler.addFilter(TraceIds())
    spans = PublishSpans()
    return Replacements(
        publish_interceptors=[spans],
        message_stamps=[spans],
        fold_interceptors=[FoldSpans()],
        begin_trace=begin_trace,
    )


def is_traced(watched: Replacements) -> bool:
    """Whether ``watched`` is of a process that makes spans."""
    return watched is not NONE

"""Adds the id of the trace to each line that is logged within a span."""

from __future__ import annotations

import logging

from opentelemetry.trace import get_current_span

__all__ = ["TraceIds"]


class TraceIds(logging.Filter):
    """Lets every record through; one that names a trace already stays as it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        found = get_current_span().get_span_context()
        if found.is_valid and not hasattr(record, "trace_id"):
            record.trace_id = f"{found.trace_id:032x}"
        return True

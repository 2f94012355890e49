"""What the service tells its operator, as it is printed."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from coordinator.logging_setup import TextFormatter

__all__ = ["logged"]


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """All from warning on, of the service in this process."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger("coordinator")
    logger.addHandler(handler)
    try:
        yield text
    finally:
        logger.removeHandler(handler)

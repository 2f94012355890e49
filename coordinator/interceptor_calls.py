"""Calls each interceptor of a seam in order; one that raises is logged and changes nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["call_each", "log_failure"]

T = TypeVar("T")

logger = logging.getLogger(__name__)


def call_each(interceptors: Iterable[T], call: Callable[[T], None]) -> None:
    """``call`` is called with each, in order, and calls one of its methods. Raises nothing that is an
    `Exception`: what is observed goes on as if nobody looked.
    """
    for one in interceptors:
        try:
            call(one)
        except Exception as exc:  # noqa: BLE001 - logged
            log_failure(one, exc)


def log_failure(interceptor: object, exc: Exception) -> None:
    """Tell that ``interceptor`` raised ``exc``, for whoever calls it without `call_each`."""
    logger.error(
        "an interceptor failed", exc_info=exc, extra={"interceptor": type(interceptor).__name__}
    )

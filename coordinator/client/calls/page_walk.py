"""Walks over all pages of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coordinator.client.exchange.http_messages import Call
from coordinator.client.exchange.programs import Circumstances, Program, asked, emit
from coordinator.client.models.pages import Page

__all__ = ["every"]


def every(page: Callable[[str | None], Call[Page[Any]]], now: Circumstances) -> Program[None]:
    """Emits each item. ``page`` is called with a cursor, None for the first page."""
    cursor: str | None = None
    while True:
        found = yield from asked(page(cursor), now)
        for item in found:
            yield from emit(item)
        cursor = found.next_cursor
        if cursor is None:
            return

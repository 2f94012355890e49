"""Writes and reads cursors: the place where the next page begins, as text that clients hand back unread."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from coordinator.errors import InvalidRequest

__all__ = ["AGENTS", "AGENTS_TASKS", "CALLBACKS", "EVENTS", "PARKED", "TASKS", "Cursor"]

T = TypeVar("T")

_BAD = (
    "cursor: this is not one that this endpoint gave: use the next_cursor of the page before, or leave"
    " it out to begin anew"
)


class Cursor(Generic[T]):
    """Writes and reads the cursors of one kind of page, and refuses those of another."""

    def __init__(self, kind: str, place: type[T]) -> None:
        self._kind = kind
        self._reader = TypeAdapter[T](place)

    def write(self, place: T | None) -> str | None:
        """The text of ``place``; None where there is no next page."""
        if place is None:
            return None
        return base64.urlsafe_b64encode(to_json([self._kind, place])).rstrip(b"=").decode()

    def read(self, cursor: str | None) -> T | None:
        """The place that ``cursor`` was written of; None for none, or an empty one. Raises
        `InvalidRequest`.
        """
        if not cursor:
            return None
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            kind, place = _PAIR.validate_json(base64.b64decode(padded, b"-_", validate=True))
            if kind != self._kind:
                raise InvalidRequest(_BAD, field="cursor")
            return self._reader.validate_python(place)
        except (UnicodeEncodeError, binascii.Error, ValidationError) as exc:
            raise InvalidRequest(_BAD, field="cursor") from exc


_PAIR = TypeAdapter[tuple[str, Any]](tuple[str, Any])
_Int = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Id = Annotated[str, Field(max_length=128, pattern=r"^[^\x00]*$")]

TASKS = Cursor[tuple[int, str]]("tasks", tuple[_Int, _Id])
AGENTS_TASKS = Cursor[tuple[bool, tuple[int, str] | None]](
    "agents-tasks", tuple[bool, tuple[_Int, _Id] | None]
)
EVENTS = Cursor[int]("events", _Int)
AGENTS = Cursor[str]("agents", _Id)
CALLBACKS = Cursor[tuple[int, str]]("callbacks", tuple[_Int, _Id])
PARKED = Cursor[int]("parked", _Int)

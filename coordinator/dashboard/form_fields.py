"""Reads the fields of a form that a page has sent, and says which of them cannot be taken."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

__all__ = ["Form", "FormRefused", "read_form"]

LARGEST_FORM = 4 * 1024 * 1024
"""Bytes, of what is encoded for the way: a task's data of a megabyte and more."""

MOST_FIELDS = 1000


class FormRefused(Exception):
    """A form cannot be taken; its sentence says what to correct."""

    def __init__(self, sentence: str, *, status: int = 422) -> None:
        super().__init__(sentence)
        self.status = status


class Form:
    """Has the fields of one form, as texts without white space around them."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def has(self, name: str) -> bool:
        """Whether it was sent, also where it is empty."""
        return name in self._fields

    def text(self, name: str) -> str | None:
        """None where it is empty or missing."""
        return (self._fields.get(name) or [""])[0].strip() or None

    def needed(self, name: str) -> str:
        """Raises `FormRefused` where it is empty or missing."""
        found = self.text(name)
        if found is None:
            raise FormRefused(f"Fill in {name.replace('_', ' ')}")
        return found

    def all(self, name: str) -> list[str]:
        """Each value, where a field may be sent several times."""
        return [value.strip() for value in self._fields.get(name, []) if value.strip()]

    def number(self, name: str) -> float | None:
        """None where it is empty or missing. Raises `FormRefused`."""
        found = self.text(name)
        if found is None:
            return None
        try:
            number = float(found)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise FormRefused(f"{name.replace('_', ' ').capitalize()} is no number: {found}")
        return number

    def whole_number(self, name: str) -> int | None:
        """None where it is empty or missing. Raises `FormRefused`."""
        found = self.number(name)
        if found is not None and not found.is_integer():
            raise FormRefused(f"{name.replace('_', ' ').capitalize()} is no whole number: {found}")
        return None if found is None else int(found)

    def json_object(self, name: str) -> dict[str, Any]:
        """Raises `FormRefused`."""
        found = self.json(name)
        if not isinstance(found, dict):
            raise FormRefused(
                f"{name.replace('_', ' ').capitalize()} has to be a JSON object: {{…}}"
            )
        return found

    def json(self, name: str) -> Any:
        """Raises `FormRefused`."""
        try:
            return json.loads(self.needed(name), parse_constant=_no_number)
        except (ValueError, RecursionError) as exc:
            raise FormRefused(f"{name.replace('_', ' ').capitalize()} is no JSON: {exc}") from None

    def json_or_text(self, name: str) -> Any:
        """What is no JSON is the text that it is. Raises `FormRefused`."""
        text = self.needed(name)
        try:
            return json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError):
            return text


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


async def read_form(request: Request) -> Form:
    """The body as a form of HTML. Raises `FormRefused`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise FormRefused("Send a form: application/x-www-form-urlencoded", status=415)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_FORM:
            raise FormRefused(f"The form has more than {LARGEST_FORM} bytes", status=413)
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError as exc:
        raise FormRefused(f"The form cannot be read: {exc}", status=400) from None
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)

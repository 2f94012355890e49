"""Makes one line of a setting that is not valid: the setting as it was given, and what to give instead.
Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from coordinator.environment import ENV_PREFIX

from .value_types import IN_SECONDS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["error_message"]

LONGEST = 60
"""Characters of a wrong value that are shown."""


def error_message(
    error: ValidationError, origins: Mapping[str, str], *, secret: Collection[str]
) -> str:
    """One line about the first thing that is wrong. ``origins`` tells how each setting was given, as an
    option or a variable; the values of ``secret`` ones are not shown.
    """
    first = error.errors(include_url=False)[0]
    if not first["loc"]:  # of two settings together
        return _advice(first)
    name = str(first["loc"][0])
    setting = origins.get(name, f"{ENV_PREFIX}{name.upper()}")
    if name not in secret:
        setting += f"={_printable(str(first['input']))}"
    return f"{setting} is not valid: {_advice(first)}"


def _advice(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in _ADVICE:
        return _ADVICE[kind].format(**error.get("ctx", {}))
    if kind.startswith("int_"):
        return "give a whole number"
    return IN_SECONDS if kind.startswith("time_delta_") else error["msg"]


_ADVICE = {
    "value_error": "{error}",
    "literal_error": "give {expected}",
    "string_too_short": "give {min_length} characters or more",
    "greater_than_equal": "give {ge} or more",
    "less_than_equal": "give {le} or less",
}
"""By the kind of error, as pydantic calls it."""


def _printable(value: str) -> str:
    shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in shown)

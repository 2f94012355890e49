"""Reads JSON values leniently, as clients in other languages write them; takes no boolean for a number."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, FiniteFloat
from pydantic_core import PydanticCustomError

__all__ = ["LIST", "NO_BOOLEAN", "OBJECT", "WITHOUT_NULLS", "Finite", "Number", "Whole"]


def _no_boolean(value: Any) -> Any:
    """`true` is 1 to Python, and a mistake in a request."""
    if isinstance(value, bool):
        raise PydanticCustomError("number", "Input should be a valid number, not true or false")
    return value


NO_BOOLEAN = BeforeValidator(_no_boolean)
"""Stands last, after the limits of the number."""

Number = Annotated[float, NO_BOOLEAN]

Finite = Annotated[FiniteFloat, NO_BOOLEAN]

Whole = Annotated[int, NO_BOOLEAN]


def _object(value: Any) -> Any:
    """PHP writes `[]` for an empty object."""
    return {} if value == [] else value


def _list(value: Any) -> Any:
    """Lua writes `{}` for an empty list."""
    return [] if value == {} else value


def _without_nulls(values: Any) -> Any:
    """Null is what was not given."""
    if not isinstance(values, dict):
        return _object(values)
    return {name: value for name, value in values.items() if value is not None}


OBJECT, LIST = BeforeValidator(_object), BeforeValidator(_list)

WITHOUT_NULLS = BeforeValidator(_without_nulls)
"""As agents of other languages write it over the broker (`protocol.json_values.lenient_reading`)."""

"""Refuses query parameters that an endpoint does not know: a filter that is misspelt would match all.

One that comes twice where a single value is meant is refused, too: one of both would not count. That is
for endpoints that have parameters. Those that have none ignore the query: nothing in their answers could
have been chosen, and some clients add a parameter so that no cache answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_origin

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from coordinator.errors import InvalidRequest
from coordinator.near_names import LONGEST, nearest

__all__ = ["CREDENTIAL", "check_query_parameters", "query_parameters"]

CREDENTIAL = "token"
"""The query parameter in which clients of other services carry a credential; it means nothing here."""


def query_parameters(dependant: Dependant) -> dict[str, bool]:
    """The parameters that an endpoint, which needs what ``dependant`` says, reads from the query; and of
    each, whether it may come more than once.
    """
    names: dict[str, bool] = {}
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, one in model.model_fields.items():
                names[name] = get_origin(one.annotation) is list
        else:
            names[field.alias] = get_origin(model) is list
    return names


def check_query_parameters(given: Iterable[str], known: Mapping[str, bool]) -> None:
    """Raises `InvalidRequest` for the first of ``given`` that is not ``known``, or comes once too often."""
    seen: set[str] = set()
    for name in given:
        if name not in known:
            near = nearest(name, known)
            guess = "" if near is None else f" did you mean {near}?"
            raise InvalidRequest(
                f"{name[:LONGEST]}: there is no such filter here:{guess} use"
                f" {', '.join(sorted(known))}",
                field=name[:LONGEST],
            )
        if name in seen and not known[name]:
            raise InvalidRequest(f"{name}: give it once, it has one value", field=name)
        seen.add(name)

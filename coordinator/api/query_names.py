"""Refuses query parameters that an endpoint does not know: a filter that is misspelt would match all.

That is for endpoints that have parameters. Those that have none ignore the query: nothing in their
answers could have been chosen, and some clients add a parameter so that no cache answers.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from coordinator.errors import InvalidRequest
from coordinator.near_names import LONGEST, nearest

__all__ = ["check_query_names", "query_names"]


def query_names(dependant: Dependant) -> frozenset[str]:
    """The parameters that an endpoint, which needs what ``dependant`` says, reads from the query."""
    names: set[str] = set()
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names.update(model.model_fields)
        else:
            names.add(field.alias)
    return frozenset(names)


def check_query_names(given: Iterable[str], known: frozenset[str]) -> None:
    """Raises `InvalidRequest` for the first of ``given`` that is not ``known``."""
    for name in given:
        if name not in known:
            near = nearest(name, known)
            guess = "" if near is None else f" did you mean {near}?"
            raise InvalidRequest(
                f"{name[:LONGEST]}: there is no such filter here:{guess} use"
                f" {', '.join(sorted(known))}",
                field=name[:LONGEST],
            )

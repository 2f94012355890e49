"""Refuses requests to act that hold an unknown key or a query: a word that is left out means *all*, or *at
once*, and one that is misspelt would, too. `{"dryRun": true}` must not redrive every task.
"""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request
from pydantic import BaseModel

from coordinator.errors import InvalidRequest
from coordinator.near_names import LONGEST, quoted

from .unknown_body_keys import refuse_unknown_keys
from .unknown_query_parameters import CREDENTIAL

__all__ = ["strict_request", "strict_request_without_body"]


class _Nothing(BaseModel):
    """Describes the body of a call that has none."""


def strict_request(model: type[BaseModel]) -> Any:
    """Makes the dependency of an endpoint whose body may have the keys of ``model``, and its query nothing.
    It raises `InvalidRequest`.
    """

    async def refuse_unknown_words(request: Request) -> None:
        for name in request.query_params:
            if name != CREDENTIAL:
                hint = ": send it in the body" if name in model.model_fields else ""
                raise InvalidRequest(
                    f"Nothing was done, because {quoted(name)} means nothing in the query{hint}",
                    field=name[:LONGEST],
                )
        await refuse_unknown_keys(request, model)

    return Depends(refuse_unknown_words)


strict_request_without_body = strict_request(_Nothing)
"""Of an endpoint that acts by its path alone. A body without keys is as good as none."""

"""Defines the fields of queries and answers that come in pages: limit, cursor, count, total."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LARGEST_PAGE", "Count", "FilterText", "NextCursor", "PageQuery", "Total"]

LARGEST_PAGE = 200
"""Entries on one page."""

FilterText = Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")]
"""A value that records are compared with: no record has a NUL, and a database refuses to look for it."""


class PageQuery(BaseModel):
    """Selects a page of a list."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(
        default=50, ge=1, le=LARGEST_PAGE, description="How many on a page, at most."
    )
    cursor: str | None = Field(
        default=None, description="The `next_cursor` of the page before; none for the first page."
    )


Count = Annotated[int, Field(description="How many are on this page.", examples=[1])]

Total = Annotated[int, Field(description="How many there are in all.", examples=[1])]

NextCursor = Annotated[
    str | None,
    Field(description="For the page after this one; null on the last.", examples=[None]),
]

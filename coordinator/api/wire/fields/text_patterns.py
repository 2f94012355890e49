"""Describes the length and pattern of ids and names in requests, for the OpenAPI document alone.

The code refuses others with its own sentences, so that nothing is checked twice.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from coordinator.protocol.id_limits import AGENT_WORDS, MAX_ID, MAX_TAG, MOST_TAGS, TASK_WORDS

__all__ = [
    "AgentIdWord",
    "GroupWord",
    "IdempotencyWord",
    "Names",
    "ScheduleIdWord",
    "Tags",
    "Urls",
    "Word",
    "task_data_schema",
]

_UNSEEN = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff0-\uffff"
)
"""Characters that are no ids': control characters, spaces but for the plain one, and what is not shown."""

_PRINTABLE = rf"[ ]*[^ {_UNSEEN}]([^{_UNSEEN}]*)"

MOST_NAMES = 32
"""As `COORDINATOR_MAX_CAPABILITIES` is by default."""


def _word(longest: int = MAX_ID, *, never: tuple[str, ...] = ()) -> dict[str, Any]:
    no = f"(?!({'|'.join(never)})$)" if never else ""
    return {"minLength": 1, "maxLength": longest, "pattern": f"^{no}{_PRINTABLE}$"}


_DOTS = (r"\.", r"\.\.")

Word = Annotated[str, Field(json_schema_extra=_word())]
Names = Annotated[list[Word], Field(json_schema_extra={"maxItems": MOST_NAMES})]
Urls = Annotated[
    dict[str, str],
    Field(json_schema_extra={"propertyNames": _word(), "maxProperties": MOST_NAMES}),
]
AgentIdWord = Annotated[str, Field(json_schema_extra=_word(never=(*_DOTS, *sorted(AGENT_WORDS))))]
ScheduleIdWord = Annotated[str, Field(json_schema_extra=_word(never=_DOTS))]
GroupWord = Annotated[str, Field(json_schema_extra=_word(never=_DOTS))]
TagWord = Annotated[str, Field(json_schema_extra=_word(MAX_TAG))]
Tags = Annotated[list[TagWord], Field(json_schema_extra={"maxItems": MOST_TAGS})]
IdempotencyWord = Annotated[
    str,
    Field(json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[ -~]*[!-~][ -~]*$"}),
]

task_data_schema: dict[str, Any] = {
    "properties": {
        "task_id": {"type": "string", **_word(never=(*_DOTS, *sorted(TASK_WORDS)))},
    }
}
"""Of the keys of `task_data` that mean something here."""

"""Configures the models of request bodies: frozen, with an example in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

__all__ = ["ignoring_unknown_keys", "refusing_unknown_keys"]


def ignoring_unknown_keys(description: str | None = None, /, **example: Any) -> ConfigDict:
    """Of a body whose unknown keys are ignored, and named in the answer's `warning`.

    ``example`` is one such body, and ``description`` what the document says in place of the docstring.
    """
    return _config(description, {"examples": [example]})


def refusing_unknown_keys(description: str | None = None, /, **example: Any) -> ConfigDict:
    """As `ignoring_unknown_keys`, of a body whose unknown keys are refused by `strict_request`."""
    return _config(description, {"examples": [example], "additionalProperties": False})


def _config(description: str | None, extra: dict[str, Any]) -> ConfigDict:
    if description is not None:
        extra["description"] = description
    # Ignored by the models in any case: who refuses unknown keys has a sentence for it.
    return ConfigDict(frozen=True, extra="ignore", json_schema_extra=extra)

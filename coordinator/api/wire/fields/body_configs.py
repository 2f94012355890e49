"""Configures the models of request bodies: frozen, with an example in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

__all__ = ["ignoring_unknown_keys", "refusing_unknown_keys"]


def ignoring_unknown_keys(**fields: Any) -> ConfigDict:
    return ConfigDict(frozen=True, extra="ignore", json_schema_extra={"examples": [fields]})


def refusing_unknown_keys(**fields: Any) -> ConfigDict:
    """Of a body in which unknown keys are refused, see `unknown_keys.refuse_unknown_keys`."""
    return ConfigDict(
        frozen=True,
        extra="ignore",
        json_schema_extra={"examples": [fields], "additionalProperties": False},
    )

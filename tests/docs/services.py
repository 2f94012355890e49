"""An application without insides: enough for its OpenAPI document."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from coordinator.api.services import Services

__all__ = ["no_services"]


def no_services() -> Services:
    nothing = {field.name: cast("Any", None) for field in fields(Services)}
    return Services(**nothing | {"version": "0", "problems": tuple})

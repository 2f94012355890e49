"""An application without insides: enough for its OpenAPI document."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from coordinator.api.endpoint_services import EndpointServices

__all__ = ["no_services"]


def no_services() -> EndpointServices:
    nothing = {field.name: cast("Any", None) for field in fields(EndpointServices)}
    return EndpointServices(**nothing | {"version": "0", "problems": tuple})

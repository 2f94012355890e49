"""Reads the settings from the options of the command and from the environment.

    options ─▶ environment ─▶ value_types ─▶ Settings ─▶ setting_conflicts
                    what is wrong with any of them ─▶ error_messages ─▶ one line

Each setting is the environment variable ``COORDINATOR_<NAME>``; a secret may also be given as the path of a
file that holds it, in ``COORDINATOR_<NAME>_FILE``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from coordinator.environment import ENV_PREFIX, FILE, secret_of, value_of
from coordinator.errors import OperatorError

from .error_messages import error_message
from .settings import Settings
from .unknown_variables import unknown_variables

__all__ = ["load_settings", "unknown_settings"]

SECRETS = ("amqp_url", "database_url", "management_url", "secret")
"""Settings that may hold a password: never shown, and also read from a file."""

CALLERS = ("key",)
"""What callers of the API are told in the same way, beside the settings. Secrets, all."""

AGENTS = ("artifacts",)
"""What agents read, and no coordinator: they may have the same environment."""

ADDRESS = "url"
"""Where callers of the API find it; no secret."""

OPTIONS = {
    "http_host": "--host",
    "http_port": "--port",
    "http_workers": "--workers",
    "projector": "--projector",
    "data_dir": "--data-dir",
    "amqp_url": "--amqp-url",
}
"""The settings that are options of the command as well."""


def load_settings(**given: Any) -> Settings:
    """Read the settings from the environment; what is ``given``, by options, and not None comes first.

    Raises `OperatorError` with one line that names the first wrong setting, as it was given.
    """
    values = {name: value for name, value in given.items() if value is not None}
    origins = {name: OPTIONS.get(name, name) for name in values}
    environment = {name.upper(): value for name, value in os.environ.items()} | os.environ
    for name in Settings.model_fields.keys() - values.keys():
        variable = f"{ENV_PREFIX}{name.upper()}"
        if name in SECRETS:
            found = secret_of(variable, environment, with_quotes=name == "secret")
            if found is not None:
                values[name], origins[name] = found.value, found.name
        elif (value := value_of(variable, environment)) is not None:
            values[name], origins[name] = value, variable
    try:
        return Settings(**values)
    except ValidationError as exc:
        raise OperatorError(error_message(exc, origins, secret=SECRETS)) from exc


def unknown_settings(environment: Mapping[str, str] = os.environ) -> list[str]:
    """A sentence for each variable with the prefix that is no setting."""
    known = [f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields]
    known += [f"{ENV_PREFIX}{name.upper()}" for name in (*CALLERS, *AGENTS, ADDRESS)]
    known += [f"{ENV_PREFIX}{name.upper()}{FILE}" for name in (*SECRETS, *CALLERS)]
    return unknown_variables(environment, known)

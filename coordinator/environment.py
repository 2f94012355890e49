"""Reads variables of the environment, the same way for coordinators and agents.

A variable that is empty counts as not set: compose files write ``NAME=${NAME:-}`` for what may be left
out. Quotes around a value are taken off, since `docker run --env-file` leaves them on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.errors import OperatorError

__all__ = ["ENV_PREFIX", "FILE", "Variable", "content_of", "secret_of", "value_of"]

ENV_PREFIX = "COORDINATOR_"

FILE = "_FILE"
"""At the end of the name of a variable: the file that holds the value."""

LARGEST_FILE = 64 * 1024
"""Characters of a file with a secret; no address and no key is that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A value, and the variable that it came from, to name in errors."""

    name: str
    value: str = field(repr=False)


def value_of(
    name: str, environment: Mapping[str, str] = os.environ, *, with_quotes: bool = False
) -> str | None:
    """What the variable says; None where it is not set or empty. ``with_quotes`` leaves them on."""
    value = bare = environment.get(name, "")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        bare = value[1:-1]
    if not bare.strip():
        return None
    return value if with_quotes else bare


def secret_of(
    name: str, environment: Mapping[str, str] = os.environ, *, with_quotes: bool = False
) -> Variable | None:
    """What the variable says, or the file that the variable with `FILE` at its end names. Raises
    `OperatorError` where both are set, or the file holds no text.
    """
    value = value_of(name, environment, with_quotes=with_quotes)
    path = value_of(f"{name}{FILE}", environment)
    if path is None:
        return None if value is None else Variable(name=name, value=value)
    if value is not None:
        raise OperatorError(f"{name} and {name}{FILE} are both set: unset one of them")
    return Variable(name=f"{name}{FILE}", value=content_of(f"{name}{FILE}", path))


def content_of(name: str, path: str) -> str:
    """The text of a file that ``name``, a variable or an option, gives, without spaces around it. Raises
    `OperatorError`.
    """
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            text = file.read(LARGEST_FILE + 1)
    except OSError as exc:
        raise OperatorError(f"{name} names {path}, which cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise OperatorError(
            f"{name} names {path}, which is no text: write the value there as UTF-8, such as the"
            " output of `openssl rand -hex 32` for a key"
        ) from exc
    except RuntimeError as exc:  # of `expanduser`
        raise OperatorError(f"{name} names {path}, and there is no such home: {exc}") from exc
    if len(text) > LARGEST_FILE:
        raise OperatorError(f"{name} names {path}, which is too large to hold one value")
    if not text.strip():
        raise OperatorError(f"{name} names {path}, which is empty: write the value there")
    return text.strip()

"""Declares the types of the settings' values, and reads each from what an operator wrote."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from coordinator.protocol.broker_address_check import address_problem

__all__ = [
    "Auth",
    "BrokerUrl",
    "DatabaseUrl",
    "Duration",
    "DurationOrZero",
    "File",
    "Folder",
    "Host",
    "HttpUrl",
    "JwtAlgorithms",
    "JwtRoles",
    "KeptFor",
    "LogFormat",
    "LogLevel",
    "MetadataKeys",
    "Names",
    "Projector",
    "Rate",
    "Yes",
]

LONGEST = timedelta(days=36_525)
"""A hundred years; dates that far from now can still be reckoned with."""

SHORTEST_KEPT = timedelta(minutes=1)
"""Forgotten sooner, a task would be taken for a new one where the broker delivers its events twice."""

MOST_KEYS = 8
"""Keys of metadata that tasks can be found by: each is a row in the ledger for each task that has it."""

IN_SECONDS = "give seconds, such as 90, or ISO 8601, such as PT90S"


def _seconds(value: object) -> object:
    """Accept a plain number of seconds beside ISO 8601 and ``HH:MM:SS``."""
    if not isinstance(value, str):
        return value
    try:
        seconds = float(value)
    except ValueError:
        return value
    if not math.isfinite(seconds) or abs(seconds) > LONGEST.total_seconds():
        raise ValueError(f"{IN_SECONDS}; a hundred years at most")
    return seconds


def _some_time(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("give more than 0 seconds")
    return _not_too_long(value)


def _no_time_or_some(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("give 0 seconds or more")
    return _not_too_long(value)


def _not_too_long(value: timedelta) -> timedelta:
    if value > LONGEST:
        raise ValueError(f"{IN_SECONDS}; a hundred years at most")
    return value


def _for_ever_or_long_enough(value: timedelta | None) -> timedelta | None:
    if not value:
        return None
    if value < SHORTEST_KEPT:
        raise ValueError("give 60 seconds or more, or 0 for ever")
    return _not_too_long(value)


ROLES = ("reader", "producer", "agent", "operator", "admin")
"""As `access.roles` has them, which knows more than settings may."""

ASYMMETRIC = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)

_RATE = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)")


LONGEST_KEY = 64
"""Characters of a key of metadata that is searched for."""


def _keys(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        if len(one) > LONGEST_KEY or not one.isprintable() or "=" in one:
            raise ValueError(
                f"{one[:80]} is no key that can be searched for: up to {LONGEST_KEY} printable characters,"
                " and no ="
            )
    keys = tuple(sorted(set(value)))
    if len(keys) > MOST_KEYS:
        raise ValueError(
            f"give up to {MOST_KEYS} keys that tasks can be found by: these are {len(keys)}"
        )
    return keys


def _algorithms(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        if one not in ASYMMETRIC:
            raise ValueError(f"{one} is not one of {', '.join(ASYMMETRIC)}")
    return value


def _role_words(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        word, equals, role = one.partition("=")
        if not (word and equals and role in ROLES):
            raise ValueError(f"{one} is not word=role, with a role of {', '.join(ROLES)}")
    return value


def _rate(value: str) -> str:
    rate = value.replace(" ", "").lower()
    if not _RATE.fullmatch(rate):
        raise ValueError(
            "give a number and a time, such as 6000/minute (second, minute, hour, day)"
        )
    return rate


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _broker_url(value: str) -> str:
    problem = address_problem(value)
    if problem is not None:
        raise ValueError(f"the broker's address {problem}")
    return value


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        good = good and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
    except ValueError:  # its words may hold a part of the password
        good = False
    if not good:
        raise ValueError("the address is http://host:15672 (or https://)")
    return value


def _database_url(value: str) -> str:
    if "://" not in value:
        raise ValueError(
            "the database's address is postgresql://user:password@host/name or sqlite:////folder/file"
        )
    return value


def _host(value: str) -> str:
    host = value.strip().removeprefix("[").removesuffix("]")
    if not host:
        raise ValueError("it is empty: give an address, such as 127.0.0.1")
    return host


def _folder(value: object) -> object:
    """``~`` is this user's home wherever it comes from: a shell reads it in some places only."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("it is empty: give a folder")
    try:
        return Path(value).expanduser()
    except RuntimeError as exc:
        raise ValueError("there is no such home: give a folder without ~") from exc


def _word(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _level(value: object) -> object:
    word = _word(value)
    return "warning" if word == "warn" else word


BrokerUrl = Annotated[str, AfterValidator(_broker_url)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Host = Annotated[str, AfterValidator(_host)]
Folder = Annotated[Path, BeforeValidator(_folder)]
Duration = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_some_time)]
DurationOrZero = Annotated[timedelta, BeforeValidator(_seconds), AfterValidator(_no_time_or_some)]
KeptFor = Annotated[
    timedelta | None,
    BeforeValidator(_seconds),
    AfterValidator(_for_ever_or_long_enough),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
MetadataKeys = Annotated[tuple[str, ...], BeforeValidator(_names), AfterValidator(_keys)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_level)]
LogFormat = Annotated[Literal["text", "json"], BeforeValidator(_word)]
Auth = Annotated[Literal["off", "required"], BeforeValidator(_word)]
Yes = Annotated[bool, BeforeValidator(_word)]
File = Annotated[Path, BeforeValidator(_folder)]
Rate = Annotated[str, AfterValidator(_rate)]
JwtAlgorithms = Annotated[
    tuple[str, ...], BeforeValidator(_names), AfterValidator(_algorithms), Field(min_length=1)
]
JwtRoles = Annotated[tuple[str, ...], BeforeValidator(_names), AfterValidator(_role_words)]
Projector = Annotated[Literal["auto", "own", "same"], BeforeValidator(_word)]

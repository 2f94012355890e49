"""Declares the types of the settings about who reaches the API, and reads each from what an operator wrote:
hosts, origins, proxies, the path in front, files of TLS; and whom the service reaches with callbacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

__all__ = ["AllowedAddresses", "HostNames", "Origins", "Proxies", "RootPathText", "TlsFile"]

_HOST = re.compile(r"\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")

_ROOT_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


def _separated(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


def _host_names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(_host_name(value) for value in values)


def _host_name(value: str) -> str:
    name = value.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if not _HOST.fullmatch(name):
        raise ValueError(
            f"{value[:60]!r} is no name of a host: give names without http:// and without a port, separated"
            " by commas, such as coordinator.example.org; *.example.org for all below it, * for any"
        )
    return name


def _origins(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(_origin(value) for value in values)


def _origin(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
        parts = urlsplit("")
    if not good or value.lower().rstrip("/") != f"{parts.scheme}://{parts.netloc}".lower():
        raise ValueError(
            f"{value[:60]!r} is no origin: give each page's scheme, host and port as its browser shows them,"
            " such as https://board.example.org or http://localhost:3000; there is no word for all"
        )
    return f"{parts.scheme}://{parts.netloc}".lower()


def _proxies(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(_proxy(value) for value in values)


def _proxy(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise ValueError(
            f"{value[:60]!r} is no address: give those of your proxies, such as 10.0.0.5 or 10.0.0.0/24"
        ) from None


def _allowed_addresses(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(_network_or_host(value) for value in values)


def _network_or_host(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        name = value.lower().removesuffix(".")
    if "/" in value or "*" in value or not _HOST.fullmatch(name) or ":" in name:
        raise ValueError(
            f"{value[:60]!r} is neither a network nor a host: give those that callbacks may go to, such as"
            " 10.1.0.0/16, 192.168.1.7 or hooks.internal"
        )
    return name


def _root_path(value: str) -> str:
    path = value.strip().rstrip("/")
    if not _ROOT_PATH.fullmatch(path):
        raise ValueError(
            "give the path below which the proxy publishes the service, such as /coordinator, in letters and"
            " digits"
        )
    return path


def _file(value: object) -> object:
    """``~`` is this user's home. Whether the file can be read is seen where it is read."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("it is empty: give a file")
    try:
        return Path(value).expanduser()
    except RuntimeError as exc:
        raise ValueError("there is no such home: give a file without ~") from exc


HostNames = Annotated[tuple[str, ...], BeforeValidator(_separated), AfterValidator(_host_names)]
Origins = Annotated[tuple[str, ...], BeforeValidator(_separated), AfterValidator(_origins)]
Proxies = Annotated[tuple[str, ...], BeforeValidator(_separated), AfterValidator(_proxies)]
AllowedAddresses = Annotated[
    tuple[str, ...], BeforeValidator(_separated), AfterValidator(_allowed_addresses)
]
RootPathText = Annotated[str, AfterValidator(_root_path)]
TlsFile = Annotated[Path, BeforeValidator(_file)]

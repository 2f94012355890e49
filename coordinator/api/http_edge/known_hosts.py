"""Knows the names of this service that may stand in the header `Host`.

A page that an attacker serves under a name of his own, and then points that name to 127.0.0.1 (DNS
rebinding), is of the same origin as whatever answers there. Only the name gives it away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

__all__ = ["Arrival", "KnownHosts", "is_host"]


Arrival = tuple[str, int | None] | None
"""The address and port of this machine that a connection came to, as ASGI's `server` tells them."""

EVERY = "*"

MOST_REMEMBERED = 512
"""Answers that are remembered: names times ports, of which a caller may write as many as there are."""

_HOST = re.compile(
    r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>(?:[a-z0-9._~!$&'()*+,;=-]|%[0-9a-f]{2})*))"
    r"(?::(?P<port>[0-9]*))?"
)
"""Address or registered name of RFC 3986, which may be empty, and a port."""

_DIGITS = 5
"""Of a port."""


def is_host(header: bytes) -> bool:
    """Whether the value of `Host` is one that there may be, of whatever service."""
    return _read(header) is not None


def _read(header: bytes) -> re.Match[str] | None:
    return _HOST.fullmatch(header.decode("latin-1").strip().lower())


class KnownHosts:
    """Says of a header whether it names this service. Ports are not looked at: they are often forwarded,
    and no page can choose a name by them.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        """``names`` beside those of loopback, as `EdgeRules.hosts` has them."""
        names = frozenset(names)
        self._every = EVERY in names
        self._names = names | {"localhost"}
        self._below = tuple(name.removeprefix(EVERY) for name in names if name.startswith("*."))
        self.remembered: set[tuple[bytes, Arrival]] = set()
        """What was known before, and is again: most callers write the same each time."""

    def knows(self, header: bytes, arrival: Arrival) -> bool:
        """Whether ``header``, the value of `Host`, is a name of this service, where the connection came
        to ``arrival``.
        """
        if (header, arrival) in self.remembered:
            return True
        if not self._known(header, arrival):
            return False
        if len(self.remembered) >= MOST_REMEMBERED:
            self.remembered.clear()
        self.remembered.add((header, arrival))
        return True

    def _known(self, header: bytes, arrival: Arrival) -> bool:
        found = _read(header)
        if found is None or len(found["port"] or "") > _DIGITS:
            return False
        if self._every:
            return True
        host = found["v6"] or found["name"].removesuffix(".")
        if host in self._names or host.endswith(self._below):
            return True
        if arrival is not None and host == arrival[0]:
            return True
        address = _address(host)
        if address is None:
            return False
        return address.is_loopback or (arrival is not None and address == _address(arrival[0]))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """None for what is a name. An IPv4 address in the form of IPv6 is the former."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address

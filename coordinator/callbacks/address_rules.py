"""Says which addresses callbacks may go to: public ones, and those that an operator allows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

__all__ = ["Address", "AddressRules", "is_public", "plain_host", "read_address"]

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")


class AddressRules:
    """``allowed`` are networks, such as `10.1.0.0/16`, addresses, and names of hosts. A name that is allowed
    may have any address, so its DNS is trusted.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._hosts: set[str] = set()
        for entry in allowed:
            try:
                self._networks.append(ip_network(entry))
            except ValueError:
                self._hosts.add(plain_host(entry))

    def allows(self, address: Address, host: str) -> bool:
        """Whether to connect to ``address``, which ``host`` has."""
        inner = _unwrapped(address)
        if plain_host(host) in self._hosts:
            return True
        if any(one in network for one in (address, inner) for network in self._networks):
            return True
        return is_public(address)


def is_public(address: Address) -> bool:
    """Whether it is of the public internet, and one machine's: neither private, shared, of loopback or of a
    link, nor reserved, multicast or unspecified, also where it is written within an IPv6 address.
    """
    inner = _unwrapped(address)
    if isinstance(inner, IPv6Address) and inner not in _GLOBAL_UNICAST:
        return False
    return inner.is_global and not (
        inner.is_multicast or inner.is_reserved or inner.is_unspecified or inner.is_loopback
    )


def read_address(host: str) -> Address | None:
    """The address that ``host`` is, without brackets; None where it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def plain_host(host: str) -> str:
    """In lower case and without the dot of the root at its end, so that names can be compared."""
    return host.lower().removesuffix(".")


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that is meant by an IPv6 address which holds one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4 and address.sixtofour is not None:
        return address.sixtofour
    return address

"""Refuses to serve beyond this machine without authentication, unless an operator says so twice."""

from __future__ import annotations

import ipaddress

from coordinator.errors import OperatorError

__all__ = ["check_listening", "is_loopback"]


def check_listening(host: str, *, required: bool, allow_open: bool) -> None:
    """``host`` is the address to listen on. Raises `OperatorError` with one line."""
    if not (required or allow_open or is_loopback(host)):
        raise OperatorError(
            f"Whoever reaches {host} could do everything, because COORDINATOR_AUTH is off: set it to"
            " `required` and make a key with `coordinator keys create`, or listen on 127.0.0.1; where"
            " something else keeps others out, COORDINATOR_ALLOW_OPEN=yes"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. A name other than `localhost` may be anything."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback

"""Connects callbacks to addresses that were checked: resolves a name, checks, and connects, in one step.

Were the check apart, a name could have another address by the time somebody connected. Here the name is
resolved once, and the connection goes to an address, so that nobody asks again.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from .address_rules import Address, AddressRules, read_address

__all__ = ["AddressRefused", "CheckedConnections", "NameUnknown", "Resolves", "ThreadedResolver"]

logger = logging.getLogger(__name__)

RESOLVING = 16
"""Threads that may ask name servers at a time, apart from those in which the rest of the service works."""


class AddressRefused(Exception):
    """No address of this host may be connected to; says why."""


class NameUnknown(Exception):
    """The name has no address now."""


Resolves = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Called with a host and a port; gives its addresses, the best first. Raises `NameUnknown`."""


class ThreadedResolver:
    """Asks the system for addresses, in threads of its own: a name server may take its time. Close it at the
    end.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVING, thread_name_prefix="callback names")

    async def __call__(self, host: str, port: int) -> list[Address]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError) as exc:
            raise NameUnknown(f"The name {host} has no address now") from exc
        return [address for one in found if (address := read_address(one)) is not None]

    def close(self) -> None:
        """Does not wait for what is asked just now."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedConnections(httpcore.AsyncNetworkBackend):
    """Opens the connection of one POST. ``plain`` says that there is no TLS in it, which is for this machine
    alone unless ``http`` allows it.
    """

    def __init__(self, rules: AddressRules, resolve: Resolves, *, plain: bool, http: bool) -> None:
        self._rules = rules
        self._resolve = resolve
        self._plain = plain and not http
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The first address that may be connected to and answers. Raises `AddressRefused`, `NameUnknown`, and
        what `httpcore` raises.
        """
        literal = read_address(host)
        addresses = await self._resolve(host, port) if literal is None else [literal]
        allowed = [one for one in addresses if self._rules.allows(one, host)]
        if not allowed:
            self._refuse(host, addresses)
        if self._plain and not (allowed := [one for one in allowed if one.is_loopback]):
            raise AddressRefused("Beyond this machine callbacks need https://")
        last: Exception | None = None
        for address in allowed:
            try:
                return await self._sockets.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                last = exc
        raise last or NameUnknown(f"The name {host} has no address now")

    def _refuse(self, host: str, addresses: Sequence[Address]) -> None:
        if not addresses:
            raise NameUnknown(f"The name {host} has no address now")
        # Which address it is is told to the operator alone: producers may not know the names of this network.
        logger.warning(
            "a callback was not sent, since its address is not public",
            extra={"host": host, "addresses": [str(one) for one in addresses]},
        )
        raise AddressRefused(
            f"The host {host} has no public address: allow it with COORDINATOR_CALLBACK_ALLOW"
        )

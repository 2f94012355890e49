"""Reads the URL of a callback into the parts of a request, and refuses what none may have. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from .address_rules import Address, plain_host, read_address

__all__ = ["CallbackUrl", "read_url"]

LONGEST_URL = 2048
"""Characters."""

_PRINTABLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackUrl:
    """Holds the parts of a URL, as they were read once: nobody after this reads the text again."""

    scheme: str
    """`https` or `http`."""
    host: str
    """A name, or an address without brackets."""
    port: int
    target: str
    """Path and query, as they go into the request."""

    @property
    def address(self) -> Address | None:
        """Where the host is an address."""
        return read_address(self.host)

    @property
    def authority(self) -> str:
        """For the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether it names this machine, as far as can be told without asking for its address."""
        if self.address is not None:
            return self.address.is_loopback
        name = plain_host(self.host)
        return name == "localhost" or name.endswith(".localhost")


def read_url(text: str) -> CallbackUrl:
    """Raises `ValueError` with the end of a sentence that begins with the URL."""
    if len(text) > LONGEST_URL:
        raise ValueError(f"has {len(text)} characters; at most {LONGEST_URL}")
    if not _PRINTABLE.fullmatch(text) or "\\" in text:
        raise ValueError(
            "has characters that no URL has: encode them with %, and names by punycode"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme not in _PORTS:
        raise ValueError("must begin with https://")
    if "@" in parts.netloc:
        raise ValueError("holds a user or a password: what is sent is signed instead")
    if parts.fragment or text.endswith("#"):
        raise ValueError("has a fragment (#…), which is never sent")
    host = parts.hostname or ""
    if read_address(host) is None and not _NAME.fullmatch(host):
        raise ValueError("names no host")
    if "%" in host:
        raise ValueError("names a zone of this machine")
    if port == 0:
        raise ValueError("has the port 0")
    query = f"?{parts.query}" if parts.query else ""
    return CallbackUrl(
        scheme=parts.scheme,
        host=host,
        port=port or _PORTS[parts.scheme],
        target=f"{parts.path or '/'}{query}",
    )

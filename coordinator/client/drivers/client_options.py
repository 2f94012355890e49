"""Holds where the service is, and how it is called; checks it when a client is made."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from coordinator.client.errors import Misconfigured
from coordinator.client.exchange.retry_rule import Retries

from .presented_key import presented_key

__all__ = ["DEFAULT_URL", "ClientOptions", "Tls", "checked_url", "client_options"]

DEFAULT_URL = "http://127.0.0.1:9001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Says whom to trust, and who one is, over https."""

    ca_file: str | Path | None = None
    """Certificates in PEM to trust in the place of the system's."""
    cert_file: str | Path | None = None
    """A certificate of one's own, in PEM, where the service or its proxy asks for one."""
    key_file: str | Path | None = None
    """The key of `cert_file`, where that does not hold it."""

    def context(self) -> ssl.SSLContext:
        """Host names and certificates are checked always. Raises `Misconfigured`."""
        if self.ca_file is None:
            _check_cas_of_environment()
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError, ValueError) as exc:
            raise Misconfigured(f"The TLS files cannot be used: {exc}") from exc
        return context


def _check_cas_of_environment() -> None:
    """OpenSSL leaves out without a word a file of `SSL_CERT_FILE` that it cannot read: then no certificate is
    trusted, and the error blames the service's. Raises `Misconfigured`.
    """
    try:
        if file := os.environ.get("SSL_CERT_FILE"):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except OSError as exc:  # that of ssl is one, too
        raise Misconfigured(
            f"The CAs that SSL_CERT_FILE names cannot be read ({exc.strerror or exc}): name a file in PEM"
        ) from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Is what both drivers need."""

    base_url: str
    """Without a slash at its end."""
    key: str | None = field(default=None, repr=False)
    tls: Tls = field(default_factory=Tls)
    retries: Retries = field(default_factory=Retries)
    largest_answer: int = 64 * 1024 * 1024
    """Bytes: four times the largest message that the service publishes."""


def client_options(
    base_url: str, key: str | None, tls: Tls | None, retries: Retries | None
) -> ClientOptions:
    """Checked, with the key from the environment where ``key`` is None. Raises `Misconfigured`."""
    return ClientOptions(
        base_url=checked_url(base_url),
        key=presented_key(key),
        tls=tls or Tls(),
        retries=retries or Retries(),
    )


def checked_url(base_url: str) -> str:
    """With a scheme, and without a slash at its end; a path, such as that of a proxy, stays. Raises
    `Misconfigured`.
    """
    if not base_url.strip():
        raise Misconfigured(f"The address is empty: {_FORM}")
    url = base_url.strip() if "://" in base_url else f"http://{base_url.strip()}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, good = None, False
    if parts is not None and "@" in parts.netloc:
        # Not shown: what stands before it may be a password.
        raise Misconfigured(f"The address has a user in it: give the key as `key`, and {_FORM}")
    if parts is None or not good or not url.isascii() or not url.isprintable() or " " in url:
        raise Misconfigured(f"{base_url!r} is not an address of HTTP: {_FORM}")
    if parts.query or parts.fragment:
        raise Misconfigured(f"{base_url!r} has a query or a fragment: {_FORM}")
    return url.rstrip("/")


_FORM = f"give one such as {DEFAULT_URL}, with a path where the service is below one"

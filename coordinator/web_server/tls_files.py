"""Reads certificate, key and client CA from their files, again when they are replaced, and answers TLS with
what they say now.

Renewed certificates are put in the place of old ones by a program that knows nothing of this one. A
connection that is open keeps the certificate that it began with.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from coordinator.errors import OperatorError

__all__ = ["TlsContext", "TlsFiles"]

BETWEEN_LOOKS = 5.0
"""Seconds from one look at the files to the next."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Names the files, all in PEM."""

    certificate: Path
    """With the certificates between it and its CA."""
    key: Path
    """Without a passphrase."""
    client_ca: Path | None = None
    """CAs; clients need a certificate of one of them. None for clients without one."""

    def read(self) -> ssl.SSLContext:
        """TLS 1.2 or later, as they stand now. Raises `OperatorError`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_passphrase)
        except (OSError, ValueError) as exc:
            raise OperatorError(
                f"The API has no TLS: COORDINATOR_TLS_CERTIFICATE ({self.certificate}) and"
                f" COORDINATOR_TLS_KEY ({self.key}) are no certificate and its key that this user can read,"
                f" in PEM and without a passphrase: {_why(exc)}"
            ) from exc
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self.client_ca)
            except (OSError, ValueError) as exc:
                raise OperatorError(
                    f"The API has no TLS: COORDINATOR_TLS_CLIENT_CA ({self.client_ca}) holds no"
                    f" certificates in PEM that this user can read: {_why(exc)}"
                ) from exc
        return context

    def state(self) -> tuple[object, ...]:
        """What differs once one of them is replaced."""
        return tuple(_state(path) for path in (self.certificate, self.key, self.client_ca) if path)


class TlsContext:
    """Is the context of a server, and begins each connection with the files as they were read last."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises `OperatorError` where they cannot be read."""
        self._files = files
        self._state = files.state()
        self._now = files.read()
        self.context = files.read()
        """To be given to the server: it stays, and each connection is handed on to the latest."""
        self.context.sni_callback = self._hand_on

    def _hand_on(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._now

    async def keep(self, between_looks: float = BETWEEN_LOOKS) -> NoReturn:
        """Read the files again whenever they have changed, with a look every so many seconds. Files that do
        not fit together, as while they are being replaced, leave all as it was.
        """
        while True:
            await asyncio.sleep(between_looks)
            state = await asyncio.to_thread(self._files.state)
            if state == self._state:
                continue
            self._state = state
            try:
                self._now = await asyncio.to_thread(self._files.read)
            except OperatorError as exc:
                logger.warning("the TLS files were replaced and are not used: %s", exc)
            else:
                logger.info("the TLS files were replaced and are used from now on")


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as exc:
        return exc.errno
    return found.st_ino, found.st_mtime_ns, found.st_size


def _no_passphrase() -> str:
    """OpenSSL would ask for one at the terminal."""
    return ""


def _why(exc: Exception) -> str:
    return str(getattr(exc, "strerror", None) or exc)

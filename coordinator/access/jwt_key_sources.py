"""Reads the keys that JWTs are signed with, from a JWKS URL or a file, and again as they rotate.

An issuer that rotates its keys publishes the new one first. So a token with a key that is not known
here makes the keys be read again, at most every ten seconds; and they are read every five minutes in
any case, so that one that was withdrawn ends. While they cannot be read, those that are known go on
counting, and the log says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

__all__ = ["FileKeys", "JwksKeys", "KeysUnreadable", "SigningKey", "SigningKeys"]

logger = logging.getLogger(__name__)

READ_EVERY = 300.0
"""Seconds between two readings of a JWKS."""

READ_APART = 10.0
"""Seconds between two that unknown keys ask for; anybody can send tokens with made-up ones."""

STAT_EVERY = 1.0
"""Seconds between two looks whether a file was changed."""

MOST_BYTES = 256 * 1024
"""Of a set of keys."""

SigningKey = Mapping[str, Any] | str
"""A JWK, or a public key in PEM."""


class KeysUnreadable(Exception):
    """The keys cannot be read."""


class SigningKeys(Protocol):
    """Finds the key of a token: `JwksKeys`, `FileKeys`."""

    generation: int
    """Goes up when the keys are others than before."""

    async def find(self, key_id: str | None) -> SigningKey | None:
        """The key of this id; without one the only key there is. None where there is no such key, also where
        the keys could never be read.
        """
        ...


class _ReadAgain(ABC):
    """Keeps a set of keys, and reads it again where it is old or lacks one."""

    def __init__(self, *, monotonic: Callable[[], float], every: float, apart: float) -> None:
        self.generation = 0
        self._monotonic = monotonic
        self._every = every
        self._apart = apart
        self._keys: dict[str | None, SigningKey] = {}
        self._read_at = -float("inf")
        self._reading = asyncio.Lock()

    async def find(self, key_id: str | None) -> SigningKey | None:
        await self._read_where_older(self._every)
        if self._of(key_id) is None:
            await self._read_where_older(self._apart)
        return self._of(key_id)

    def _of(self, key_id: str | None) -> SigningKey | None:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id, self._keys.get(None))

    async def _read_where_older(self, age: float) -> None:
        async with self._reading:
            if self._monotonic() - self._read_at < age:
                return
            self._read_at = self._monotonic()
            try:
                keys = await self._read()
            except KeysUnreadable as exc:
                logger.warning("the keys of JWTs cannot be read: %s", exc)
                return
            if keys is not None and keys != self._keys:
                self._keys = keys
                self.generation += 1
                logger.info("read the keys of JWTs", extra={"keys": len(keys)})

    @abstractmethod
    async def _read(self) -> dict[str | None, SigningKey] | None:
        """All keys, None where they are as they were. Raises `KeysUnreadable`."""


class JwksKeys(_ReadAgain):
    """Reads a JWKS from a URL. No redirect is followed. ``every`` and ``apart`` are seconds."""

    def __init__(
        self,
        url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        every: float = READ_EVERY,
        apart: float = READ_APART,
    ) -> None:
        super().__init__(monotonic=monotonic, every=every, apart=apart)
        self._url = url

    async def _read(self) -> dict[str | None, SigningKey] | None:
        import httpx  # noqa: PLC0415 - not every service needs it

        content = b""
        try:
            async with (
                httpx.AsyncClient(timeout=5, follow_redirects=False) as client,
                client.stream("GET", self._url) as answer,
            ):
                if answer.status_code != 200:
                    raise KeysUnreadable(f"{self._url} answers {answer.status_code}")
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > MOST_BYTES:
                        raise KeysUnreadable(f"{self._url} answers more than {MOST_BYTES} bytes")
        except httpx.HTTPError as exc:
            raise KeysUnreadable(f"{self._url}: {str(exc) or type(exc).__name__}") from exc
        return _of_jwks(content.decode("utf-8", "replace"), self._url)


class FileKeys(_ReadAgain):
    """Reads a JWKS, or one public key in PEM, from a file, again when it is another."""

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        every: float = STAT_EVERY,
    ) -> None:
        super().__init__(monotonic=monotonic, every=every, apart=every)
        self._path = path

    async def _read(self) -> dict[str | None, SigningKey] | None:
        return await asyncio.to_thread(self._read_file)

    def _read_file(self) -> dict[str | None, SigningKey]:
        try:
            with self._path.open(encoding="utf-8") as file:
                text = file.read(MOST_BYTES + 1)
        except (OSError, UnicodeDecodeError) as exc:
            raise KeysUnreadable(f"{self._path}: {exc}") from exc
        if len(text) > MOST_BYTES:
            raise KeysUnreadable(f"{self._path} has more than {MOST_BYTES} characters")
        if text.lstrip().startswith("-----BEGIN"):
            return {None: text}
        return _of_jwks(text, str(self._path))


def _of_jwks(text: str, where: str) -> dict[str | None, SigningKey]:
    """Those that sign; symmetric ones are left out, since who verifies by one could sign by it. Raises
    `KeysUnreadable`.
    """
    try:
        keys = json.loads(text)["keys"]
        usable = [
            key
            for key in keys
            if key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
        ]
        found: dict[str | None, SigningKey] = {}
        for key in usable:
            key_id = key.get("kid")
            found[key_id if isinstance(key_id, str) else None] = key
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
        raise KeysUnreadable(f"{where} holds no JWKS: {exc}") from exc
    if not found:
        raise KeysUnreadable(f"{where} holds no key that verifies a signature")
    return found

"""Tells the principal of a credential: an API key's from the key ring, a JWT's from its verification."""

from __future__ import annotations

from typing import Protocol

from coordinator.errors import NotAuthenticated

from .api_key import PREFIX, is_key
from .key_ring import KeyRing
from .principal import Principal

__all__ = ["Authenticator", "VerifiesTokens"]

_PREFIX = PREFIX.encode()

_UNKNOWN = "The API key is not known here, or it was revoked, or has expired"

_NEITHER = "The credential is neither an API key nor a JWT"

_NO_JWT = "The credential is no API key, and JWTs do not count here"


class VerifiesTokens(Protocol):
    """Verifies JWTs: `jwt_verification.JwtVerification`, which is imported only where they count."""

    def find(self, token: str) -> Principal | None:
        """The caller of a token that was verified before."""
        ...

    async def verify(self, token: str) -> Principal:
        """Raises `NotAuthenticated` with the reason."""
        ...


class Authenticator:
    """Finds the caller of a request. ``jwts`` is None where they do not count."""

    def __init__(self, ring: KeyRing, jwts: VerifiesTokens | None = None) -> None:
        self.ring = ring
        self._jwts = jwts

    def known_key(self, key: bytes) -> Principal | None:
        """Of an API key as it stands in a header, as far as it can be told without waiting; None for anything
        else, too. Raises `LedgerUnavailable`.
        """
        return self.ring.find_bytes(key) if key.startswith(_PREFIX) else None

    def known(self, credential: str) -> Principal | None:
        """As far as it can be told without waiting. Raises `LedgerUnavailable`."""
        if is_key(credential):
            return self.ring.find(credential)
        return None if self._jwts is None else self._jwts.find(credential)

    async def found(self, credential: str) -> Principal:
        """Raises `NotAuthenticated` with the reason, or `LedgerUnavailable`."""
        if is_key(credential):
            holder = await self.ring.find_anew(credential)
            if holder is None:
                raise NotAuthenticated(_UNKNOWN)
            return holder
        if self._jwts is None:
            raise NotAuthenticated(_NO_JWT)
        if credential.count(".") != 2:
            raise NotAuthenticated(_NEITHER)
        return await self._jwts.verify(credential)

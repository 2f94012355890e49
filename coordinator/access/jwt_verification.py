"""Verifies JWTs by PyJWT, and makes principals of their claims. Never makes a token.

A token must have `iss`, `aud`, `sub` and `exp`, and be signed by one of the allowed algorithms, which are
asymmetric. One that was verified is remembered by its hash until it ends, or the keys change: a
signature costs fifty times what a look into a dictionary does.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jwt

from coordinator.errors import NotAuthenticated
from coordinator.log_lines import printable
from coordinator.protocol.id_limits import MAX_ID

from .access_rules import JwtRules
from .jwt_key_sources import SigningKey, SigningKeys
from .principal import LONGEST_ACTOR, Principal
from .roles import Role, with_implied

__all__ = ["JwtVerification"]

logger = logging.getLogger(__name__)

LONGEST_TOKEN = 16 * 1024
"""Characters."""

LONGEST_WHY = 200
"""Characters of why a token does not count."""

MOST_REMEMBERED = 10_000
"""Tokens."""

_NO_JSON = (ValueError, TypeError, OverflowError, RecursionError)
"""Raised for parts of a token that hold no JSON, or more of it than Python can read."""


class JwtVerification:
    """Finds the caller of a token by ``rules``, with the ``keys`` of the issuer. ``clock`` gives
    seconds since 1970.
    """

    def __init__(
        self, rules: JwtRules, keys: SigningKeys, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._generation = 0

    def find(self, token: str) -> Principal | None:
        """The caller of a token that was verified before."""
        if self._generation != self._keys.generation:
            self._verified.clear()
            self._generation = self._keys.generation
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        known = self._verified.get(digest)
        if known is None:
            return None
        if self._clock() >= known[1]:
            del self._verified[digest]
            return None
        return known[0]

    async def verify(self, token: str) -> Principal:
        """Raises `NotAuthenticated` with the reason."""
        if len(token) > LONGEST_TOKEN:
            raise NotAuthenticated(f"The JWT has more than {LONGEST_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if algorithm not in self._rules.algorithms:
                allowed = ", ".join(self._rules.algorithms)
                raise NotAuthenticated(f"The JWT must be signed by one of: {allowed}")
            key = await self._keys.find(key_id if isinstance(key_id, str) else None)
            if key is None:
                raise NotAuthenticated("The JWT is signed by a key that its issuer does not name")
            claims = self._claims(token, algorithm, key)
            ends = float(claims["exp"]) + self._rules.leeway.total_seconds()
        except (jwt.PyJWTError, *_NO_JSON) as exc:
            # It may repeat what the token says, whoever made that.
            why = printable(str(exc)[:LONGEST_WHY])
            raise NotAuthenticated(f"The JWT does not count: {why}") from exc
        principal = self._principal(claims)
        self.find(token)  # with the keys of this moment
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        self._verified[digest] = (principal, ends)
        if len(self._verified) > MOST_REMEMBERED:
            self._verified.popitem(last=False)
        return principal

    def _claims(self, token: str, algorithm: str, key: SigningKey) -> dict[str, Any]:
        verified_by: Any
        if isinstance(key, str):
            verified_by = key
        else:
            if key.get("alg", algorithm) != algorithm:
                raise NotAuthenticated(f"The key of the JWT is not one for {algorithm}")
            verified_by = jwt.PyJWK(dict(key), algorithm=algorithm)
        rules = self._rules
        claims: dict[str, Any] = jwt.decode(
            token,
            verified_by,
            algorithms=[algorithm],
            issuer=rules.issuer,
            audience=rules.audience,
            leeway=rules.leeway,
            options={"require": ["iss", "aud", "sub", "exp"]},
        )
        return claims

    def _principal(self, claims: dict[str, Any]) -> Principal:
        actor = f"jwt:{claims['sub']}"
        if not claims["sub"] or len(actor) > LONGEST_ACTOR or not actor.isprintable():
            raise NotAuthenticated(
                f"The JWT's `sub` is not 1 to {LONGEST_ACTOR - 4} printable characters"
            )
        words = _at(claims, self._rules.roles_claim)
        if isinstance(words, str):
            words = words.split()
        if not isinstance(words, list):
            words = []
        known = self._rules.role_words
        roles = {known[word] for word in words if isinstance(word, str) and word in known}
        agent_id = _at(claims, self._rules.agent_claim)
        if not (
            isinstance(agent_id, str) and 1 <= len(agent_id) <= MAX_ID and agent_id.isprintable()
        ):
            agent_id = None
            roles -= {Role.AGENT}
        return Principal(actor=actor, roles=with_implied(roles), agent_id=agent_id)


def _at(claims: dict[str, Any], path: str) -> Any:
    """A claim of this very name, or what the dots lead to: `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found

"""JWTs count when all that tells them apart is right, and for nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from coordinator.access.access_rules import JwtRules
from coordinator.access.jwt_key_sources import FileKeys, JwksKeys
from coordinator.access.jwt_verification import JwtVerification
from coordinator.access.roles import Role
from coordinator.errors import NotAuthenticated

ISSUER, AUDIENCE = "https://issuer.example", "agent-coordinator"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Always the same for a name: they take long to be made."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(name: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(
        rsa_key(name).public_key(), as_dict=True
    )
    return found | {"kid": name, "use": "sig"} | fields


def pem(name: str) -> str:
    return (
        rsa_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def token(name: str = "first", *, algorithm: str = "RS256", key: Any = None, **claims: Any) -> str:
    given = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "exp": int(time.time()) + 600,
        "roles": ["producer"],
    } | claims
    given = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(given, key or rsa_key(name), algorithm=algorithm, headers={"kid": name})


def rules(**changes: Any) -> JwtRules:
    given: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "algorithms": ("RS256", "ES256"),
        "leeway": timedelta(seconds=30),
        "roles_claim": "roles",
        "role_words": {role.value: role for role in Role},
        "agent_claim": "agent_id",
    }
    return JwtRules(**(given | changes))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [jwk("first"), jwk("second")]}))
    return file


@pytest.fixture
def verification(keys: Path) -> JwtVerification:
    return JwtVerification(rules(), FileKeys(keys, every=0))


async def test_a_token_that_is_right_makes_a_caller_and_is_known_from_then_on(
    verification: JwtVerification,
) -> None:
    right = token()
    assert verification.find(right) is None
    found = await verification.verify(right)
    assert (found.actor, found.agent_id) == ("jwt:alice", None)
    assert found.roles == {Role.PRODUCER}
    assert verification.find(right) == found
    assert (await verification.verify(token("second"))).actor == "jwt:alice"


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another service"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
        {"sub": "a\nb"},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**400},
        {"nbf": 2**33},
    ],
)
async def test_a_claim_that_is_wrong_or_missing_is_refused(
    verification: JwtVerification, wrong: dict[str, Any]
) -> None:
    made = token(**wrong)
    with pytest.raises(NotAuthenticated):
        await verification.verify(made)
    assert verification.find(made) is None


@pytest.mark.parametrize("extension", ["a\nb", "a\x1b[31mb", "a\ud800b", "a" * 10_000])
async def test_why_a_token_is_refused_is_one_short_line_whatever_its_header_says(
    verification: JwtVerification, extension: str
) -> None:
    header = json.dumps({"alg": "RS256", "kid": "first", "crit": [extension]}).encode()
    forged = base64.urlsafe_b64encode(header).decode().rstrip("=") + ".e30.AAAA"
    with pytest.raises(NotAuthenticated) as refused:
        await verification.verify(forged)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


async def test_the_leeway_is_for_clocks_that_differ(keys: Path) -> None:
    late = token(exp=int(time.time()) - 5)
    assert (await JwtVerification(rules(), FileKeys(keys)).verify(late)).actor == "jwt:alice"
    with pytest.raises(NotAuthenticated):
        await JwtVerification(rules(leeway=timedelta()), FileKeys(keys)).verify(late)


async def test_signatures_of_others_and_algorithms_that_are_not_allowed_are_refused(
    verification: JwtVerification,
) -> None:
    forged = token(key=rsa_key("stranger"))
    unsigned = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "sub": "a"}, "", algorithm="none")
    other = token(algorithm="RS512")
    of_another_kind = token(algorithm="ES256", key=ec_key())
    head, claims, signature = token().split(".")
    for wrong in (
        forged,
        unsigned,
        other,
        of_another_kind,
        f"{head}.{claims}.",
        "a.b.c",
        "..",
        "é.é.é",
    ):
        with pytest.raises(NotAuthenticated):
            await verification.verify(wrong)
    assert (await verification.verify(f"{head}.{claims}.{signature}")).actor == "jwt:alice"


def part(value: bytes) -> str:
    """Of a token."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


async def test_what_json_cannot_hold_is_refused_in_the_same_way(
    verification: JwtVerification,
) -> None:
    deep, signature = part(b"[" * 12_000), part(b"x" * 256)
    claims = part(b"{}")
    right = part(json.dumps({"alg": "RS256", "kid": "first"}).encode())
    for wrong in (f"{deep}.{claims}.{signature}", f"{right}.{deep}.{signature}"):
        with pytest.raises(NotAuthenticated):
            await verification.verify(wrong)
    with pytest.raises(NotAuthenticated):
        await verification.verify(token(exp=float("inf")))
    with pytest.raises(NotAuthenticated, match="characters"):
        await verification.verify("x" * 20_000)


async def test_a_public_key_is_no_secret_to_sign_by(tmp_path: Path) -> None:
    """The oldest trick: HS256 with the public key as its secret."""
    file = tmp_path / "key.pem"
    file.write_text(pem("first"))
    verification = JwtVerification(rules(), FileKeys(file))
    assert (await verification.verify(token())).actor == "jwt:alice"
    head = part(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "first"}).encode())
    body = part(json.dumps(jwt.decode(token(), options={"verify_signature": False})).encode())
    mac = hmac.new(pem("first").encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    with pytest.raises(NotAuthenticated, match="RS256"):
        await verification.verify(f"{head}.{body}.{part(mac)}")


async def test_claims_grant_roles_as_the_settings_say(keys: Path) -> None:
    verification = JwtVerification(
        rules(
            roles_claim="realm_access.roles",
            role_words={"fleet-ops": Role.OPERATOR, "fleet-agent": Role.AGENT},
        ),
        FileKeys(keys),
    )

    async def roles(words: Any, **claims: Any) -> set[Role]:
        made = token(realm_access={"roles": words}, **claims)
        return set((await verification.verify(made)).roles)

    assert await roles(["fleet-ops", "admin"]) == {Role.OPERATOR, Role.READER, Role.PRODUCER}
    assert await roles("fleet-agent", agent_id="ada") == {Role.AGENT}
    assert await roles("fleet-agent", agent_id="ada\nbob") == set()
    assert await roles(["fleet-agent"]) == set()
    assert await roles(["admin", 7, None]) == set()
    assert await roles({"fleet-ops": True}) == set()


async def test_a_token_ends_while_it_is_remembered(keys: Path) -> None:
    now = time.time()
    verification = JwtVerification(rules(), FileKeys(keys), clock=lambda: now)
    made = token(exp=int(now) + 10)
    await verification.verify(made)
    now += 39
    assert verification.find(made) is not None
    now += 2
    assert verification.find(made) is None


def publish(file: Path, text: str) -> None:
    file.write_text(text)


async def test_keys_are_read_again_when_the_file_changes_and_those_that_are_gone_end(
    keys: Path, verification: JwtVerification
) -> None:
    first = token("first")
    await verification.verify(first)
    publish(keys, json.dumps({"keys": [jwk("third")]}))
    assert (await verification.verify(token("third"))).actor == "jwt:alice"
    assert verification.find(first) is None
    with pytest.raises(NotAuthenticated, match="does not name"):
        await verification.verify(first)


async def test_a_file_that_is_broken_leaves_the_keys_as_they_were(
    keys: Path, verification: JwtVerification
) -> None:
    await verification.verify(token())
    for broken in ("", "{", '{"keys": 7}', '{"keys": [7]}', '{"keys": []}', "[" * 100_000):
        publish(keys, broken)
        assert (await verification.verify(token(exp=int(time.time()) + 300))).actor == "jwt:alice"


class Issuer:
    """Publishes keys over HTTP, on loopback."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.asked = 0
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = json.dumps({"keys": self.keys}).encode()
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        head += "Location: /elsewhere\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    made.url = f"http://{host}:{port}/jwks"
    async with server:
        yield made


async def test_a_rotated_key_is_fetched_when_a_token_names_it_and_not_for_each_made_up_one() -> (
    None
):
    now = 0.0
    async with issuer() as published:
        published.keys = [jwk("first")]
        verification = JwtVerification(rules(), JwksKeys(published.url, monotonic=lambda: now))
        first = token("first")
        await verification.verify(first)
        published.keys = [jwk("second")]
        for _ in range(5):
            with pytest.raises(NotAuthenticated):
                await verification.verify(token("second"))
        assert published.asked == 1
        now = 11.0
        assert (await verification.verify(token("second"))).actor == "jwt:alice"
        assert published.asked == 2
        assert verification.find(first) is None


async def test_an_issuer_that_is_away_or_redirects_leaves_the_keys_as_they_were() -> None:
    now = 0.0
    async with issuer() as published:
        published.keys = [jwk("first")]
        verification = JwtVerification(rules(), JwksKeys(published.url, monotonic=lambda: now))
        await verification.verify(token("first"))
        for status in (302, 500, 404):
            now += 400
            published.status = status
            published.keys = [jwk("second")]
            assert (
                await verification.verify(token("first", exp=int(time.time()) + status))
            ).actor == "jwt:alice"
            with pytest.raises(NotAuthenticated):
                await verification.verify(token("second"))
    now += 400
    assert (
        await verification.verify(token("first", exp=int(time.time()) + 900))
    ).actor == "jwt:alice"


async def test_symmetric_keys_in_a_jwks_verify_nothing(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    secret = {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "first"}
    file.write_text(json.dumps({"keys": [secret, jwk("second", use="enc")]}))
    verification = JwtVerification(rules(), FileKeys(file))
    with pytest.raises(NotAuthenticated):
        await verification.verify(token("first"))

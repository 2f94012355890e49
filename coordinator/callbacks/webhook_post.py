"""Sends one POST within its bounds, and says what came of it. Follows no redirect, and asks no proxy."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpcore

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery
from coordinator.domain.callbacks.delivery_outcome import PostResult
from coordinator.errors import OperatorError

from .address_rules import AddressRules
from .callback_url import CallbackUrl, read_url
from .checked_connections import AddressRefused, CheckedConnections, NameUnknown, Resolves
from .signing_secrets import SecretMissing, SigningSecrets
from .webhook_signature import webhook_headers

__all__ = ["PostRules", "WebhookPost", "tls_context"]

CONTENT_TYPE = "application/cloudevents+json"

READ = 16 * 1024
"""Bytes that are read of an answer's body, and thrown away: only its status counts."""

READ_FOR = 1.0
"""Seconds for that, so that a receiver which sends little is not cut off."""


_FAILURES = (
    AddressRefused,
    NameUnknown,
    TimeoutError,
    httpcore.TimeoutException,
    httpcore.ConnectError,
    httpcore.ProtocolError,
    httpcore.NetworkError,
    OSError,
)
"""What a receiver, its name or the way to it may bring about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostRules:
    """Says to whom and for how long a POST may go."""

    addresses: AddressRules
    http: bool = False
    """Whether http:// will do beyond this machine."""
    whole: timedelta = timedelta(seconds=15)
    """From the look-up of the name to the status of the answer."""
    connect: timedelta = timedelta(seconds=5)
    """For the connection to one address."""


class WebhookPost:
    """Opens a connection for each POST, so that each is checked. ``tls`` verifies receivers; ``agent`` is
    told as `User-Agent`.
    """

    def __init__(
        self,
        secrets: SigningSecrets,
        rules: PostRules,
        *,
        resolve: Resolves,
        tls: ssl.SSLContext,
        agent: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._secrets = secrets
        self._rules = rules
        self._resolve = resolve
        self._tls = tls
        self._agent = agent
        self._now = now

    async def send(self, delivery: CallbackDelivery, body: bytes) -> PostResult:
        """Raises nothing that a receiver, a name or a secret can bring about."""
        try:
            url = read_url(delivery.url)
        except ValueError as exc:
            return PostResult(error=f"The URL {exc}", final=True)
        try:
            keys = await asyncio.to_thread(self._secrets.read, delivery.secret_ref)
        except SecretMissing as exc:
            return PostResult(error=str(exc))
        headers = {
            "Host": url.authority,
            "User-Agent": self._agent,
            "Content-Type": CONTENT_TYPE,
            "Content-Length": str(len(body)),
            **webhook_headers(delivery.webhook_id, body, keys, now=self._now()),
        }
        try:
            async with asyncio.timeout(self._rules.whole.total_seconds()):
                return await self._post(url, headers, body)
        except _FAILURES as exc:
            return PostResult(error=self._sentence(exc), final=isinstance(exc, AddressRefused))

    def _sentence(self, exc: Exception) -> str:
        match exc:
            case AddressRefused() | NameUnknown():
                return str(exc)
            case TimeoutError() | httpcore.TimeoutException():
                seconds = self._rules.whole.total_seconds()
                return f"The receiver did not answer within {seconds:g} s"
            case httpcore.ConnectError():
                return f"No connection: {exc}"
        return f"No answer that is HTTP: {str(exc) or type(exc).__name__}"

    async def _post(self, url: CallbackUrl, headers: dict[str, str], body: bytes) -> PostResult:
        network = CheckedConnections(
            self._rules.addresses, self._resolve, plain=url.scheme == "http", http=self._rules.http
        )
        seconds = self._rules.whole.total_seconds()
        timeouts = {
            "connect": self._rules.connect.total_seconds(),
            "read": seconds,
            "write": seconds,
            "pool": seconds,
        }
        address = httpcore.URL(
            scheme=url.scheme.encode(),
            host=url.host.encode(),
            port=url.port,
            target=url.target.encode(),
        )
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._tls, network_backend=network) as pool,
            pool.stream(
                "POST",
                address,
                headers=list(headers.items()),
                content=body,
                extensions={"timeout": timeouts},
            ) as response,
        ):
            result = PostResult(
                status=response.status, retry_after=self._retry_after(response.headers)
            )
            with contextlib.suppress(
                TimeoutError,
                httpcore.TimeoutException,
                httpcore.ProtocolError,
                httpcore.NetworkError,
            ):
                async with asyncio.timeout(READ_FOR):
                    await _read_some(response)
            return result

    def _retry_after(self, headers: list[tuple[bytes, bytes]]) -> timedelta | None:
        """What a receiver asks for, in seconds or as an instant; None where it cannot be read."""
        told = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
        text = told.decode("latin-1").strip()
        if text.isascii() and text.isdecimal():
            return timedelta(seconds=min(int(text[:9]), 10**8))
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):  # the latter for a year of twenty digits
            return None
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - self._now()


async def _read_some(response: httpcore.Response) -> None:
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > READ:
            return


def tls_context(authorities: Path | None) -> ssl.SSLContext:
    """Verifies receivers by the authorities that the system trusts, and those of a file of ``authorities`` in
    PEM. Raises `OperatorError` where that cannot be read.
    """
    context = ssl.create_default_context()
    if authorities is not None:
        try:
            context.load_verify_locations(cafile=authorities)
        except (OSError, ssl.SSLError) as exc:
            raise OperatorError(
                f"COORDINATOR_CALLBACK_CA cannot be read: {exc}. Name a file of certificates in PEM"
            ) from exc
    return context

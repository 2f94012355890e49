"""Refuses at submission a callback that could never be told, with a sentence that says what to do."""

from __future__ import annotations

from coordinator.domain.callbacks.callback_events import EVENT_WORDS
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.task_message import Callback

from .address_rules import AddressRules
from .callback_url import CallbackUrl, read_url
from .signing_secrets import SecretMissing, SigningSecrets

__all__ = ["CallbackChecks"]


class CallbackChecks:
    """Asks no name server: which address a name has is checked where it is connected to, each time.

    ``http`` says whether http:// will do beyond loopback.
    """

    def __init__(self, secrets: SigningSecrets, rules: AddressRules, *, http: bool) -> None:
        self._secrets = secrets
        self._rules = rules
        self._http = http

    def check(self, callback: Callback) -> None:
        """Raises `InvalidRequest`."""
        _check_events(callback.events)
        try:
            self._secrets.read(callback.secret_ref)
        except SecretMissing as exc:
            raise InvalidRequest(
                f"callback.secret_ref: {exc}", field="callback.secret_ref"
            ) from exc
        try:
            self._check_url(read_url(callback.url))
        except ValueError as exc:
            raise InvalidRequest(f"callback.url {exc}", field="callback.url") from exc

    def _check_url(self, url: CallbackUrl) -> None:
        address = url.address
        if address is not None and not self._rules.allows(address, url.host):
            raise ValueError(
                f"leads to {address}, which is not public: allow it with COORDINATOR_CALLBACK_ALLOW"
            )
        if url.scheme == "http" and not (self._http or url.is_local):
            raise ValueError("must begin with https://, or set COORDINATOR_CALLBACK_HTTP=yes")


def _check_events(events: tuple[str, ...]) -> None:
    field = "callback.events"
    if not events:
        raise InvalidRequest(f"{field} is empty: leave it out to be told of the end", field=field)
    if len(events) > len(EVENT_WORDS):
        raise InvalidRequest(f"{field} has {len(events)} entries", field=field)
    for word in events:
        if word not in EVENT_WORDS:
            told = ", ".join(EVENT_WORDS)
            more = "; progress is on the stream of the task" if "progress" in word else ""
            raise InvalidRequest(f"{field}: {word[:60]!r} is not one of: {told}{more}", field=field)

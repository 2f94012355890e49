"""Makes the parts of callbacks from the settings: checks, deliverer, and what the API asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from coordinator import DISTRIBUTION, __version__
from coordinator.bootstrap.starting_state import StartingState
from coordinator.callbacks.address_rules import AddressRules
from coordinator.callbacks.callback_checks import CallbackChecks
from coordinator.callbacks.callback_deliverer import CallbackDeliverer
from coordinator.callbacks.checked_connections import Resolves, ThreadedResolver
from coordinator.callbacks.host_slots import SlotLimits
from coordinator.callbacks.signing_secrets import SigningSecrets
from coordinator.callbacks.webhook_post import PostRules, WebhookPost, tls_context
from coordinator.domain.callbacks.delivery_outcome import TryRules
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.registry.feed.callback_leases import CallbackLeases
from coordinator.registry.stores.callback_deliveries import CallbackDeliveries
from coordinator.settings.settings import Settings

__all__ = ["Callbacks", "make_callbacks"]

NOTED_WITHIN = timedelta(seconds=15)
"""How much longer than a POST a lease lasts: for the note of what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """Holds the parts of callbacks."""

    checks: CallbackChecks
    deliveries: CallbackDeliveries
    deliverer: CallbackDeliverer | None
    """None where this service sends none, or another process does."""
    close: Callable[[], None] = lambda: None
    """Ends what the deliverer has opened."""

    def nudge(self) -> None:
        """Callbacks were ordered here."""
        if self.deliverer is not None:
            self.deliverer.nudge()

    def problems(self) -> list[str]:
        """What an operator should know of, a sentence each."""
        return [] if self.deliverer is None else self.deliverer.problems()


def make_callbacks(
    settings: Settings,
    state: StartingState,
    *,
    delivers: bool,
    count: Callable[[str], None],
    resolve: Resolves | None = None,
    backoff: RetryBackoff | None = None,
) -> Callbacks:
    """``delivers`` says whether this is the process that delivers; ``count`` is called with what came of each
    try. ``resolve`` and ``backoff`` take the place of the system's names and of the usual pauses. Raises
    `OperatorError` where the authorities cannot be read.
    """
    secrets = SigningSecrets(settings.callback_secrets_dir)
    addresses = AddressRules(settings.callback_allow)
    checks = CallbackChecks(secrets, addresses, http=settings.callback_http)
    deliveries = CallbackDeliveries(state.ledger, now=state.now)
    if not (delivers and secrets.configured):
        return Callbacks(checks=checks, deliveries=deliveries, deliverer=None)
    system = ThreadedResolver()
    post = WebhookPost(
        secrets,
        PostRules(
            addresses=addresses, http=settings.callback_http, whole=settings.callback_timeout
        ),
        resolve=resolve or system,
        tls=tls_context(settings.callback_ca),
        agent=f"{DISTRIBUTION}/{__version__}",
        now=state.now,
    )
    usual = TryRules(within=settings.callback_retry_for)
    deliverer = CallbackDeliverer(
        leases=CallbackLeases(state.ledger, lasting=settings.callback_timeout + NOTED_WITHIN),
        post=post,
        rules=usual
        if backoff is None
        else TryRules(within=settings.callback_retry_for, backoff=backoff),
        limits=SlotLimits(most=settings.max_callbacks, each=settings.max_hosts_callbacks),
        count=count,
        now=state.now,
    )
    return Callbacks(checks=checks, deliveries=deliveries, deliverer=deliverer, close=system.close)

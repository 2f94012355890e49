"""Runs `coordinator keys create | list | revoke | rotate`: makes and ends API keys in the ledger.

A running service hears of each change within a second or two. Whoever can write to the ledger can do
this: no key is needed for it, so that the first one can be made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from coordinator.access.api_key import ApiKey
from coordinator.access.roles import Role
from coordinator.commands.ports import Says
from coordinator.errors import LedgerUnavailable, OperatorError, RequestError
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.api_keys import ApiKeys
from coordinator.settings import Settings

__all__ = ["end_of", "run"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

_ENDS = "when: give 90d, 12h, 30m, seconds, or an instant such as 2027-01-31T00:00:00Z"


def run(settings: Settings, options: argparse.Namespace, say: Says) -> None:
    """Raises `OperatorError` with one line for what cannot be done."""
    try:
        asyncio.run(_run(settings, options, say))
    except RequestError as exc:
        raise OperatorError(str(exc)) from exc
    except LedgerUnavailable as exc:
        raise OperatorError(f"Nothing was changed: {exc}") from exc


def end_of(text: str, now: datetime) -> datetime:
    """The instant that an option means. Raises `OperatorError`."""
    span = re.fullmatch(r"([0-9]{1,9})([smhdw]?)", text.strip())
    if span is not None:
        return now + timedelta(seconds=int(span[1]) * _UNITS[span[2] or "s"])
    try:
        end = TypeAdapter(datetime).validate_python(text.strip())
    except ValidationError:
        raise OperatorError(f"{text!r} does not say {_ENDS}") from None
    return end if end.tzinfo is not None else end.replace(tzinfo=UTC)


async def _run(settings: Settings, options: argparse.Namespace, say: Says) -> None:
    async with Ledger(settings.ledger_place) as ledger:
        await _ACTIONS[options.action](ApiKeys(ledger), options, say)


async def _create(keys: ApiKeys, options: argparse.Namespace, say: Says) -> None:
    secret = await keys.create(
        options.name,
        {Role(role) for role in options.role},
        agent_id=options.agent_id,
        expires_at=_end(options.expires),
    )
    say(secret)


async def _list(keys: ApiKeys, options: argparse.Namespace, say: Says) -> None:
    now = datetime.now(UTC)
    for key in await keys.all():
        shown = _shown(key, now)
        if options.json:
            say(json.dumps(shown))
        else:
            say("  ".join(f"{name}={value}" for name, value in shown.items() if value is not None))


async def _revoke(keys: ApiKeys, options: argparse.Namespace, say: Says) -> None:
    await keys.revoke(options.name)
    say(f"The key {options.name} counts no more.")


async def _rotate(keys: ApiKeys, options: argparse.Namespace, say: Says) -> None:
    until = end_of(options.keep_old, datetime.now(UTC))
    say(await keys.rotate(options.name, old_until=until, expires_at=_end(options.expires)))


_ACTIONS: dict[str, Callable[[ApiKeys, argparse.Namespace, Says], Any]] = {
    "create": _create,
    "list": _list,
    "revoke": _revoke,
    "rotate": _rotate,
}


def _end(text: str | None) -> datetime | None:
    return None if text is None else end_of(text, datetime.now(UTC))


def _shown(key: ApiKey, now: datetime) -> dict[str, str | None]:
    state = "active"
    if key.revoked_at is not None:
        state = "revoked"
    elif key.expires_at is not None and key.expires_at <= now:
        state = "expired"
    instants = {
        name: None if value is None else value.isoformat(timespec="seconds")
        for name, value in (
            ("created_at", key.created_at),
            ("expires_at", key.expires_at),
            ("rotated_at", key.rotated_at),
            ("revoked_at", key.revoked_at),
            ("last_used_at", key.last_used_at),
        )
    }
    roles = ",".join(sorted(key.roles))
    return {
        "name": key.name,
        "state": state,
        "roles": roles,
        "agent_id": key.agent_id,
        **instants,
    }

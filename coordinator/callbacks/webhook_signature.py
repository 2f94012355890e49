"""Signs a body after the Standard Webhooks convention: HMAC-SHA256 over id, time and body. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

__all__ = ["webhook_headers"]


def webhook_headers(
    webhook_id: str, body: bytes, keys: Iterable[bytes], *, now: datetime
) -> dict[str, str]:
    """The three headers by which a receiver tells that ``body`` is from here, and recent: one signature for
    each of ``keys``. ``webhook_id`` has no full stop.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join((webhook_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"

"""Keeps artifacts as objects in a bucket of S3, or of what speaks its protocol, by obstore.

Endpoint, region and credentials come from the usual variables `AWS_*`, from a web identity, or from the
machine's metadata, as obstore finds them. A secret may also be in a file that the variable with `_FILE` at
its end names.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, cast

from obstore.exceptions import BaseError
from obstore.store import S3Store

from coordinator.environment import secret_of
from coordinator.errors import OperatorError

from .bucket_errors import troubles_told, why
from .bucket_variables import checked_endpoint, checked_region

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = ["BucketStore"]

PART = 8 * 1024 * 1024
"""Bytes of one part of an upload; S3 takes 10 000 parts, so 80 GB. What fits into one is sent as a whole."""

AT_ONCE = 4
"""Parts on their way at a time, each held in memory."""

_SECRETS = ("access_key_id", "secret_access_key", "session_token")


class BucketStore:
    """Uploads in parts. An upload that fails is given up; where that fails, too, a rule of the bucket has to
    remove its parts. Making one connects to nothing. Raises `OperatorError`.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self.address = f"s3://{bucket}/{prefix}".rstrip("/")
        secrets = {name: secret_of(f"AWS_{name.upper()}") for name in _SECRETS}
        given = {name: found.value for name, found in secrets.items() if found is not None}
        endpoint, region = checked_endpoint(), checked_region()
        if endpoint is not None:
            given["endpoint"] = endpoint
        if region is not None:
            given["region"] = region
        try:
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                config=cast("S3Config", given),
                client_options={
                    # Whoever names an endpoint without TLS wants that one.
                    "allow_http": (endpoint or "").lower().startswith("http://"),
                    "connect_timeout": timedelta(seconds=10),
                    # Silence ends a request. The whole of it may take long: an artifact is fetched in one.
                    "read_timeout": timedelta(seconds=60),
                    "timeout": timedelta(days=1),
                },
                retry_config={"max_retries": 4, "retry_timeout": timedelta(minutes=1)},
            )
        except BaseError as exc:
            raise OperatorError(
                f"{self.address}: the variables AWS_* do not do: {why(exc)}"
            ) from exc

    def put(self, key: str, chunks: Iterator[bytes], *, media_type: str) -> None:
        attributes = {"Content-Type": media_type}
        first = bytearray()
        for chunk in chunks:
            first += chunk
            if len(first) > PART:
                break
        rest = chain((bytes(first),), chunks) if len(first) > PART else bytes(first)
        with troubles_told(self.address):
            self._store.put(
                key,
                rest,
                attributes=attributes,
                use_multipart=len(first) > PART,
                chunk_size=PART,
                max_concurrency=AT_ONCE,
            )

    def get(self, key: str) -> Generator[bytes, None, None]:
        with troubles_told(self.address, missing=key):
            for chunk in self._store.get(key).stream(min_chunk_size=PART):
                yield bytes(chunk)

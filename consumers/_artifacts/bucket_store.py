"""Keeps artifacts as objects in a bucket of S3, or of what speaks its protocol, by obstore.

Endpoint, region and credentials come from the usual variables `AWS_*`, from a web identity, or from the
machine's metadata, as obstore finds them. A secret may also be in a file that the variable with `_FILE` at
its end names.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, cast

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from coordinator.environment import secret_of, value_of
from coordinator.errors import OperatorError

from .._values.printable_text import printable_text
from .artifact_errors import ArtifactMissing, ArtifactStoreRefused, ArtifactStoreUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = ["BucketStore"]

PART = 8 * 1024 * 1024
"""Bytes of one part of an upload; S3 takes 10 000 parts, so 80 GB. What fits into one is sent as a whole."""

AT_ONCE = 4
"""Parts on their way at a time, each held in memory."""

MAX_WHY = 300

_CODE = re.compile(r"<Code>(\w+)</Code>", re.ASCII)

_SECRETS = ("access_key_id", "secret_access_key", "session_token")

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class BucketStore:
    """Uploads in parts. An upload that fails is given up; where that fails, too, a rule of the bucket has to
    remove its parts. Making one connects to nothing. Raises `OperatorError`.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self.address = f"s3://{bucket}/{prefix}".rstrip("/")
        secrets = {name: secret_of(f"AWS_{name.upper()}") for name in _SECRETS}
        given = {name: found.value for name, found in secrets.items() if found is not None}
        endpoint = next(filter(None, (value_of(name) for name in _ENDPOINTS)), "")
        try:
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                config=cast("S3Config", given),
                client_options={
                    # Whoever names an endpoint without TLS wants that one.
                    "allow_http": endpoint.lower().startswith("http://"),
                    "connect_timeout": timedelta(seconds=10),
                    # Silence ends a request. The whole of it may take long: an artifact is fetched in one.
                    "read_timeout": timedelta(seconds=60),
                    "timeout": timedelta(days=1),
                },
                retry_config={"max_retries": 4, "retry_timeout": timedelta(minutes=1)},
            )
        except BaseError as exc:
            raise OperatorError(
                f"{self.address}: the variables AWS_* do not do: {_why(exc)}"
            ) from exc

    def put(self, key: str, chunks: Iterator[bytes], *, media_type: str) -> None:
        attributes = {"Content-Type": media_type}
        first = bytearray()
        for chunk in chunks:
            first += chunk
            if len(first) > PART:
                break
        rest = chain((bytes(first),), chunks) if len(first) > PART else bytes(first)
        with self._troubles_told():
            self._store.put(
                key,
                rest,
                attributes=attributes,
                use_multipart=len(first) > PART,
                chunk_size=PART,
                max_concurrency=AT_ONCE,
            )

    def get(self, key: str) -> Generator[bytes, None, None]:
        with self._troubles_told(missing=key):
            for chunk in self._store.get(key).stream(min_chunk_size=PART):
                yield bytes(chunk)

    @contextmanager
    def _troubles_told(self, *, missing: str | None = None) -> Iterator[None]:
        """As errors of artifacts; ``missing`` is the key that may not be there, else it is the bucket.

        Without their cause: obstore's tell the whole answer, which may repeat a session's token, and the
        traceback goes to the ledger.
        """
        try:
            yield
        except FileNotFoundError as exc:
            if missing is None or _code(exc) == "NoSuchBucket":
                raise ArtifactStoreRefused(f"{self.address}: there is no such bucket") from None
            raise ArtifactMissing(f"{self.address} has no artifact {missing}") from None
        except (PermissionDeniedError, UnauthenticatedError) as exc:
            raise ArtifactStoreRefused(
                f"{self.address} refuses the credentials of this agent (AWS_ACCESS_KEY_ID,"
                f" AWS_SECRET_ACCESS_KEY): {_why(exc)}"
            ) from None
        except BaseError as exc:
            raise ArtifactStoreUnavailable(f"{self.address}: {_why(exc)}") from None


def _why(exc: BaseException) -> str:
    """The code that S3 has answered goes first; the rest of the answer is left out."""
    sentence = str(exc).partition("\n")[0].partition("<")[0].rstrip(" :")
    code = _code(exc)
    return printable_text(f"{code}: {sentence}" if code else sentence, MAX_WHY)


def _code(exc: BaseException) -> str | None:
    """Of S3, where it has answered."""
    found = _CODE.search(str(exc))
    return found[1] if found else None

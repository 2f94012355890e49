"""Opens the store that an address names, as `COORDINATOR_ARTIFACTS` has it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from coordinator.environment import ENV_PREFIX
from coordinator.errors import OperatorError
from coordinator.missing_extra import missing_extra

from .artifact_errors import ArtifactStoreUnavailable
from .artifact_store import ArtifactStore
from .folder_store import FolderStore

__all__ = ["ARTIFACTS", "opened_store"]

ARTIFACTS = f"{ENV_PREFIX}ARTIFACTS"

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PREFIX = re.compile(r"((?!\.)[A-Za-z0-9._-]+(/(?!\.)[A-Za-z0-9._-]+)*)?", re.ASCII)


def opened_store(address: str) -> ArtifactStore:
    """Raises `OperatorError` for what is no address of a store, or needs an extra that is not installed."""
    parts = _split(address)
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise OperatorError(
            f"{ARTIFACTS} has more than the place: credentials and options of a bucket belong in AWS_*"
            " variables"
        )
    if parts.scheme == "file":
        return _opened_folder(_folder(parts.netloc, unquote(parts.path)))
    if parts.scheme == "s3":
        return _bucket(parts.netloc, parts.path.strip("/"))
    raise OperatorError(
        f"{ARTIFACTS} must be file:///folder or s3://bucket/prefix, and begins otherwise"
    )


def _split(address: str) -> SplitResult:
    """`urlsplit` leaves out line feeds, and tells the whole address where its host is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise OperatorError(_NO_ADDRESS) from None
    if not address.isprintable() or "\0" in unquote(parts.path):
        raise OperatorError(_NO_ADDRESS)
    return parts


_NO_ADDRESS = (
    f"{ARTIFACTS} must be file:///folder or s3://bucket/prefix, and has characters that neither may"
    " have"
)


def _folder(host: str, path: str) -> Path:
    whole = path.startswith("/") and path.strip("/") and ".." not in Path(path).parts
    if host not in ("", "localhost") or not whole:
        raise OperatorError(
            f"{ARTIFACTS} must name a folder by its whole path, with three slashes before it:"
            " file:///srv/artifacts"
        )
    return Path("/" + path.strip("/"))


def _opened_folder(folder: Path) -> ArtifactStore:
    try:
        return FolderStore(folder)
    except ArtifactStoreUnavailable as exc:  # nobody waits for it here
        raise OperatorError(f"{ARTIFACTS} names {exc}") from exc


def _bucket(bucket: str, prefix: str) -> ArtifactStore:
    if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
        raise OperatorError(
            f"{ARTIFACTS} must be s3://bucket/prefix, the bucket of 3 to 63 small letters, digits, '.' and"
            " '-', the prefix of letters, digits, '.', '_', '-' and '/', without a dot at the beginning of a"
            " part. The address of a server goes into AWS_ENDPOINT_URL"
        )
    try:
        from .bucket_store import BucketStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as exc:
        raise OperatorError(missing_extra("A store in s3://", "artifacts", exc)) from exc
    return BucketStore(bucket, prefix)

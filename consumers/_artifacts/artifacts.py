"""Stores artifacts under references, and fetches what a reference says, or nothing."""

from __future__ import annotations

import hashlib
import mimetypes
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from coordinator.protocol.id_limits import printable

from .artifact_data import ArtifactData, chunks_of, default_name, opened
from .artifact_errors import ArtifactDamaged
from .artifact_keys import key_of, new_key
from .artifact_reference import ArtifactReference, reference_of
from .artifact_store import ArtifactStore

__all__ = ["Artifacts"]

MAX_NAME = 255
"""Characters of a name."""

MAX_FETCHED = 64 * 1024 * 1024
"""Bytes that are fetched into memory; a reference may come from a stranger, and name any size."""

_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *;[ -~]*)?", re.ASCII)


class Artifacts:
    """Is the way to a store. Blocks; called in any thread. ``each`` is called with each piece that was moved,
    and may raise to end it.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def store(
        self,
        data: ArtifactData,
        *,
        task_id: str,
        attempt: int,
        name: str | None,
        media_type: str | None,
        each: Callable[[], None],
    ) -> ArtifactReference:
        """Raises `TypeError` and `ValueError` for what cannot be stored, `OSError` for a file that cannot be
        read, and what a store raises.
        """
        name = _checked_name(default_name(data) if name is None else name)
        if media_type is None:
            media_type = _guessed_media_type(name)
        else:
            _check_media_type(media_type)
        key = new_key(task_id, attempt, unique=uuid.uuid4().hex, name=name)
        with opened(data) as source:
            measured = _Measured(chunks_of(source), each)
            try:
                self._store.put(key, measured.chunks(), media_type=media_type)
            except Exception:
                if measured.error is not None:  # it is not the store's
                    raise measured.error from None
                raise
        return ArtifactReference(
            uri=f"{self._store.address}/{key}",
            size=measured.size,
            sha256=measured.digest.hexdigest(),
            media_type=media_type,
            name=name,
        )

    def fetch(
        self, reference: object, *, to: Path | None, each: Callable[[], None]
    ) -> bytes | Path:
        """The bytes, or ``to``, the file that they were written to. Raises `ValueError` for what is no
        reference, `ArtifactDamaged` where something else is in its place, and what a store raises.
        """
        wanted = reference_of(reference)
        key = key_of(wanted["uri"], store=self._store.address)
        if to is not None:
            return self._to_file(wanted, key, Path(to), each)
        if wanted["size"] > MAX_FETCHED:
            raise ValueError(
                f"the artifact has {wanted['size']} bytes, and at most {MAX_FETCHED} are fetched into memory:"
                " give task.fetch a file for it, to=Path(...)"
            )
        return b"".join(self._checked(wanted, key, each))

    def _to_file(
        self, wanted: ArtifactReference, key: str, to: Path, each: Callable[[], None]
    ) -> Path:
        """Under another name until it is whole."""
        part = to.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with part.open("xb") as file:
                for chunk in self._checked(wanted, key, each):
                    file.write(chunk)
            return part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def _checked(
        self, wanted: ArtifactReference, key: str, each: Callable[[], None]
    ) -> Iterator[bytes]:
        source = self._store.get(key)
        measured = _Measured(source, each)
        with closing(source):
            for chunk in measured.chunks():
                if measured.size > wanted["size"]:
                    break
                yield chunk
        if (measured.size, measured.digest.hexdigest()) != (wanted["size"], wanted["sha256"]):
            raise ArtifactDamaged(
                f"{wanted['uri']} is not what its reference says: it has another size than"
                f" {wanted['size']} bytes, or another SHA-256"
            )


class _Measured:
    """Counts and hashes bytes as they pass."""

    def __init__(self, source: Iterator[bytes], each: Callable[[], None]) -> None:
        self._source = source
        self._each = each
        self.size = 0
        self.digest = hashlib.sha256()
        self.error: Exception | None = None
        """Of where they come from, or of ``each``."""

    def chunks(self) -> Iterator[bytes]:
        try:
            for chunk in self._source:
                self._each()
                self.size += len(chunk)
                self.digest.update(chunk)
                yield chunk
        except Exception as exc:
            self.error = exc
            raise


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not printable(name):
        raise ValueError(
            f"the name of an artifact has 1 to {MAX_NAME} printable characters: {name!r}"
        )
    return name


def _guessed_media_type(name: str) -> str:
    """That of what a file of this name holds as it is, compressed where it is."""
    kind, encoding = mimetypes.guess_type(f"./{name}")  # no URL, which might name any type itself
    if encoding is not None:
        kind = _COMPRESSED.get(encoding)
    return kind or "application/octet-stream"


_COMPRESSED = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}
"""The media types of what `mimetypes` calls encodings: a store would unpack what it is told as one."""


def _check_media_type(media_type: object) -> None:
    """A store tells it on as a header."""
    if not isinstance(media_type, str) or not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"a media type is like 'text/csv', and not {media_type!r}")

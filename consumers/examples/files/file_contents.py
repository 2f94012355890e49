"""Reads one file as a stream, for its checksums and its type, in one block of memory."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["ALGORITHMS", "checksums", "media_type"]

ALGORITHMS = ("sha256", "sha1", "md5", "blake2b")
BLOCK = 1 << 20
"""Bytes read at once."""

_SIGNATURES = (
    (b"\x7fELF", "application/x-executable"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"#!", "text/x-script"),
    (b"<?xml", "application/xml"),
)


def checksums(
    path: Path,
    algorithms: Iterable[str] = ("sha256",),
    *,
    told: Callable[[int], object] | None = None,
) -> dict[str, str]:
    """One pass for all algorithms; ``told`` hears how many bytes each block had.

    Raises `ValueError` for an algorithm that is not in `ALGORITHMS`, `OSError` as reading does.
    """
    digests = {}
    for name in algorithms:
        if name not in ALGORITHMS:
            raise ValueError(f"Unknown checksum {name!r}: choose from {', '.join(ALGORITHMS)}")
        digests[name] = hashlib.new(name, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            for digest in digests.values():
                digest.update(block)
            if told is not None:
                told(len(block))
    return {name: digest.hexdigest() for name, digest in digests.items()}


def media_type(path: Path) -> str:
    """By the name where that is known, else by the first bytes, else text or not."""
    guessed, _ = mimetypes.guess_type(path.name)
    if guessed:
        return guessed
    with path.open("rb") as stream:
        head = stream.read(4096)
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if b"\0" in head:
        return "application/octet-stream"
    try:
        head.decode()
    except UnicodeDecodeError as exc:
        # A character that the block cuts in two is no sign of another encoding.
        return "text/plain" if exc.start > len(head) - 4 else "application/octet-stream"
    return "text/plain"

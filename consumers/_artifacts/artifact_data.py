"""Reads what a handler stores, bytes or an open file or a path, piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from .._values.printable_text import class_name
from .regular_file import open_regular_file

__all__ = ["ArtifactData", "chunks_of", "default_name", "opened"]

ArtifactData: TypeAlias = bytes | bytearray | memoryview | os.PathLike[str] | BinaryIO

CHUNK = 1024 * 1024
"""Bytes that are read at a time."""

_BYTES = (bytes, bytearray, memoryview)


def default_name(data: object) -> str:
    """That of the file, where ``data`` is a path."""
    return (Path(data).name if isinstance(data, os.PathLike) else "") or "artifact"


def opened(data: object) -> AbstractContextManager[object]:
    """``data``, a path as an open file that is closed again. Raises `TypeError` for what holds no bytes,
    `NotRegularFile` for the path of what is no file, and `OSError` for one that cannot be opened.
    """
    if isinstance(data, os.PathLike):
        return open_regular_file(Path(data))
    if isinstance(data, _BYTES) or callable(getattr(data, "read", None)):
        return nullcontext(data)
    if isinstance(data, str):
        raise TypeError(
            "task.store takes bytes: of a text write text.encode(), of the path of a file Path(path)"
        )
    raise TypeError(
        "task.store takes bytes, the Path of a file, or a file that is open for reading bytes, and not a"
        f" value of type {class_name(data)}"
    )


def chunks_of(data: object) -> Iterator[bytes]:
    """The bytes of what was `opened`, none of them empty. Raises `TypeError` for a file of text."""
    if isinstance(data, _BYTES):
        with memoryview(data) as view, view.cast("B") as flat:
            for start in range(0, len(flat), CHUNK):
                yield bytes(flat[start : start + CHUNK])
        return
    file = cast("BinaryIO", data)
    while chunk := cast("object", file.read(CHUNK)):
        if not isinstance(chunk, _BYTES):
            raise TypeError(
                f"this file gives {class_name(chunk)}, not bytes: open it with mode 'rb'"
            )
        yield bytes(chunk)

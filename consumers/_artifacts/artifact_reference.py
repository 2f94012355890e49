"""Refers to an artifact in plain JSON, and reads such a reference as it comes with a task."""

from __future__ import annotations

import re
from collections.abc import Mapping

from typing_extensions import TypedDict  # pydantic takes no other in a model before Python 3.12

from .._values.printable_text import class_name, printable_text

__all__ = ["ArtifactReference", "reference_of"]

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ArtifactReference(TypedDict):
    """Says where an artifact is, and by what it is known again. A dict, to be put into a result, a chunk of
    output, or the data of another task.
    """

    uri: str
    size: int
    """Bytes."""
    sha256: str
    """Of the bytes, in 64 hexadecimal digits."""
    media_type: str
    name: str
    """For people."""


def reference_of(value: object) -> ArtifactReference:
    """``value``, if it is a reference; further keys are passed over. Raises `ValueError`."""
    if not isinstance(value, Mapping):
        raise ValueError(
            f"a reference is what task.store gives, a dict with {_NAMES}, and not of type {class_name(value)}"
        )
    size, digest = value.get("size"), value.get("sha256")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(_wrong("size", size, "a number of bytes"))
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(_wrong("sha256", digest, "64 hexadecimal digits in lower case"))
    texts = {key: value.get(key) for key in ("uri", "media_type", "name")}
    for key, text in texts.items():
        if not isinstance(text, str) or not text:
            raise ValueError(_wrong(key, text, "a text"))
    return ArtifactReference(
        uri=str(texts["uri"]),
        size=size,
        sha256=digest,
        media_type=str(texts["media_type"]),
        name=str(texts["name"]),
    )


_NAMES = ", ".join(ArtifactReference.__annotations__)


def _wrong(key: str, found: object, what: str) -> str:
    shown = printable_text(repr(found), 80)
    return f"the reference of an artifact has {key}={shown}, which should be {what}"

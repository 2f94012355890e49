"""Reads the secrets that callbacks are signed with: a file of the operator's folder for each, by its name."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

__all__ = ["SECRET_NAME", "SecretMissing", "SigningSecrets"]

SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Of a file in the folder: it leads nowhere else."""

PREFIX = "whsec_"

SHORTEST, LONGEST = 24, 64
"""Bytes of a secret, as the convention has it."""

MOST = 2
"""Secrets in one file: the new one and the old one, while receivers change over."""

LARGEST_FILE = 4096
"""Bytes."""


class SecretMissing(Exception):
    """There is no usable secret of this name; says why, and never what is in the file."""


class SigningSecrets:
    """Reads a file each time it is asked for, so that a rotation needs no restart. ``folder`` is None where
    no callbacks are sent.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @property
    def configured(self) -> bool:
        """Whether there is a folder at all."""
        return self._folder is not None

    def read(self, name: str) -> tuple[bytes, ...]:
        """The keys of that name, the first of which is the current one. Blocks for the time of a small file.
        Raises `SecretMissing`.
        """
        if self._folder is None:
            raise SecretMissing(
                "This service sends no callbacks: COORDINATOR_CALLBACK_SECRETS_DIR is not set"
            )
        if not SECRET_NAME.fullmatch(name):
            raise SecretMissing(
                "No secret can have this name: letters, digits and _.- alone, 64 at most"
            )
        try:
            with (self._folder / name).open("rb") as file:
                text = file.read(LARGEST_FILE + 1)
        except OSError:
            raise SecretMissing(
                f"No secret {name!r} is in the folder of COORDINATOR_CALLBACK_SECRETS_DIR, or it cannot be"
                " read"
            ) from None
        words = text.split()
        if len(text) > LARGEST_FILE or not 1 <= len(words) <= MOST:
            raise SecretMissing(f"The file of the secret {name!r} must hold one secret, or two")
        return tuple(_key(word, name) for word in words)


def _key(word: bytes, name: str) -> bytes:
    try:
        if not word.startswith(PREFIX.encode()):
            raise ValueError
        key = base64.b64decode(word.removeprefix(PREFIX.encode()), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise SecretMissing(
            f"The file of the secret {name!r} holds something else than {PREFIX} and the base64 of"
            f" {SHORTEST} to {LONGEST} bytes"
        )
    return key

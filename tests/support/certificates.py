"""Certificates that the tests make: a CA, and the files of a certificate that it gave to somebody."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import trustme

__all__ = ["Files", "issued", "replace", "trusted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Of one certificate, in PEM."""

    certificate: Path
    key: Path


def issued(ca: trustme.CA, folder: Path, *names: str) -> Files:
    """A certificate of ``ca`` for these names, in files of ``folder``, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    made = ca.issue_cert(*names)
    files = Files(certificate=folder / "certificate.pem", key=folder / "key.pem")
    files.certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(files.key))
    return files


def trusted(ca: trustme.CA, file: Path) -> Path:
    """The file with the certificate of ``ca`` itself."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ca.cert_pem.write_to_path(str(file))
    return file


def replace(old: Files, new: Files) -> None:
    """As those do who renew certificates: each file at once, one after the other."""
    os.replace(new.certificate, old.certificate)  # noqa: PTH105
    os.replace(new.key, old.key)  # noqa: PTH105

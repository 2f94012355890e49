"""Makes the client of a command: from its options, else from the environment."""

from __future__ import annotations

import argparse

from coordinator.client import ONCE, Client, Misconfigured, Retries, Tls
from coordinator.environment import content_of, value_of

__all__ = ["URL", "client_of", "url_of"]

URL = "COORDINATOR_URL"
PORT = "COORDINATOR_HTTP_PORT"

ONE_ANSWER = Retries(total_seconds=30.0, while_unreachable=False)
"""Where `--retry` is not given: whoever has typed a command is told at once that nobody answers; what the
service asks to wait is waited for."""


def url_of(given: str | None) -> str:
    """``given``, else that of `COORDINATOR_URL`, else this machine, at `COORDINATOR_HTTP_PORT`."""
    if given is not None:
        return given
    port = value_of(PORT)
    here = f"http://127.0.0.1:{port.strip() if port and port.strip() != '0' else 9001}"
    return value_of(URL) or here


def client_of(options: argparse.Namespace) -> Client:
    """Raises `Misconfigured` and `OperatorError` with one sentence. Opens nothing yet."""
    if options.key is not None and options.key_file is not None:
        raise Misconfigured("The key is given twice: leave out --key, which others can see")
    key = options.key
    if options.key_file is not None:
        key = content_of("--key-file", options.key_file)
    if options.client_key is not None and options.client_cert is None:
        raise Misconfigured(
            "The certificate of --client-key is missing: name it with --client-cert"
        )
    tls = Tls(ca_file=options.ca_file, cert_file=options.client_cert, key_file=options.client_key)
    return Client(url_of(options.url), key=key, tls=tls, retries=_retries(options.retry))


def _retries(seconds: float | None) -> Retries:
    if seconds is None:
        return ONE_ANSWER
    return Retries(total_seconds=seconds) if seconds else ONCE

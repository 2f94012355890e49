"""The certificates that HTTP clients of tests trust: read once in a process, since reading them takes as
long as many requests, and tests make clients by the hundred.
"""

from __future__ import annotations

import functools
import ssl

import httpx

__all__ = ["trusted_certificates"]


@functools.cache
def trusted_certificates() -> ssl.SSLContext:
    """For ``verify`` of a client: what it would have read by itself."""
    return httpx.create_ssl_context()

"""Says how the server serves, as the settings have it: TLS, proxies that are believed, bounds, the path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from coordinator.settings import Settings

from .connection_bounds import ConnectionBounds, most_connections
from .tls_files import TlsContext, TlsFiles

__all__ = ["ServerOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The defaults are plain HTTP, believing nobody."""

    tls: TlsContext | None = None
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    bounds: ConnectionBounds = field(default_factory=ConnectionBounds)
    drain_seconds: float = 0.0
    """How long requests are answered after the server was told to end."""
    root_path: str = ""
    """Path below which a proxy publishes the service, and which it may leave on: no span has it in its
    name."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises `OperatorError` where the files of TLS cannot be read."""
        tls = None
        if settings.tls_certificate is not None and settings.tls_key is not None:
            files = TlsFiles(
                certificate=settings.tls_certificate,
                key=settings.tls_key,
                client_ca=settings.tls_client_ca,
            )
            tls = TlsContext(files)
        bounds = ConnectionBounds(connections=most_connections(settings.max_connections))
        return cls(
            tls=tls,
            trusted_proxies=settings.trusted_proxies,
            bounds=bounds,
            drain_seconds=settings.drain_seconds,
            root_path=settings.root_path,
        )

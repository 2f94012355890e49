"""Serves the metrics of one agent over HTTP, from a thread, so that a busy event loop delays no scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from coordinator.errors import OperatorError

__all__ = ["ScrapeServer"]


class Figures(Protocol):
    """Tells sentences and values by the names of figures, without their prefix."""

    def stands(self) -> dict[str, tuple[str, float]]:
        """What goes up and down."""
        ...

    def counted(self) -> dict[str, tuple[str, float]]:
        """What has been counted since the start."""
        ...


class ScrapeServer:
    """Serves for as long as its context lasts. ``figures`` is asked in the thread at each scrape."""

    def __init__(self, port: int, host: str, *, figures: Callable[[], Figures]) -> None:
        self._port = port
        self._host = host
        self.registry = CollectorRegistry()
        self.registry.register(_Standing(figures))
        ProcessCollector(namespace="coordinator_agent", registry=self.registry)
        self._server: Any = None

    @property
    def address(self) -> str:
        """Where it serves, once it does."""
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}/metrics"

    def __enter__(self) -> Self:
        """Raises `OperatorError` where the port is taken, say."""
        try:
            self._server, _ = start_http_server(self._port, self._host, registry=self.registry)
        except (OSError, OverflowError) as exc:
            why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
            raise OperatorError(
                f"The agent cannot tell its metrics on {self._host} port {self._port} ({why}): choose"
                " another with metrics_port or --metrics-port"
            ) from exc
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Standing:
    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[Metric]:
        for name, (told, value) in self._figures().stands().items():
            yield GaugeMetricFamily(f"coordinator_agent_{name}", told, value=value)
        for name, (told, value) in self._figures().counted().items():
            yield CounterMetricFamily(f"coordinator_agent_{name}", told, value=value)

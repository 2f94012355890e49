"""Reads a page of metrics as Prometheus does."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Scraped", "scrape"]


class Scraped:
    """Holds the samples of one page."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """Of the series with exactly these labels; ``name`` is without the prefix."""
        return self._values.get((f"coordinator_{name}", frozenset(labels.items())))

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series that have these labels, and maybe others."""
        wanted = set(labels.items())
        return sum(
            value
            for (found, given), value in self._values.items()
            if found == f"coordinator_{name}" and wanted <= given
        )

    def by(self, label: str, name: str) -> Mapping[str, float]:
        """Values by one label."""
        return {
            dict(given)[label]: value
            for (found, given), value in self._values.items()
            if found == f"coordinator_{name}"
        }


async def scrape(http: httpx.AsyncClient, url: str = "/metrics") -> Scraped:
    answer = await http.get(url)
    assert answer.status_code == 200, answer.text
    return Scraped(answer.text)

"""Renders the templates of pages: everything is escaped, and a name that is missing is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from . import text_formats

__all__ = ["PageTemplates"]


class PageTemplates:
    """Reads each template once. ``base`` is the path of the dashboard, as the browser sees it."""

    def __init__(self, base: str) -> None:
        self._jinja = Environment(
            loader=PackageLoader("coordinator.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._jinja.filters |= {
            "age": text_formats.age,
            "clock": text_formats.clock_time,
            "count": text_formats.count,
            "duration": text_formats.duration,
            "json": text_formats.pretty_json,
            "segment": lambda text: quote(str(text), safe=""),
            "short": text_formats.short,
        }
        self._jinja.globals |= {
            "base": base,
            "between": text_formats.seconds_between,
            "link": lambda page, **query: _link(f"{base}/{page}".rstrip("/"), query),
        }

    def render(self, template: str, values: Mapping[str, Any], *, part: bool = False) -> str:
        """The whole page, or with ``part`` what is in the middle of it, without what is around."""
        layout = "part.html" if part else "shell.html"
        return self._jinja.get_template(f"{template}.html").render(values, layout=layout)


def _link(address: str, query: Mapping[str, Any]) -> str:
    """What is None, or empty, is left out of the query."""
    given = {name: value for name, value in query.items() if value not in (None, "", [])}
    return f"{address}?{urlencode(given, doseq=True)}" if given else address

"""Finds the broker and its management API, from the settings and the data folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from coordinator.errors import OperatorError
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.settings import Settings

__all__ = ["BrokerLocation", "locate_broker"]

MANAGEMENT_PORTS = {"amqp": ("http", 15672), "amqps": ("https", 15671)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLocation:
    """Holds the addresses of a broker and of its management API, with the users for them."""

    amqp_url: str = field(repr=False)
    management_url: str
    """Without user and password."""
    management_login: tuple[str, str] = field(repr=False)
    private: Path | None = None
    """The folder of the private node that it belongs to, if it does."""
    consumer_timeout: timedelta | None = None
    """What the node's own configuration says, where that can be read."""

    @property
    def shown(self) -> str:
        """The broker without user and password."""
        return _without_login(urlsplit(self.amqp_url)._replace(query=""))

    @property
    def user(self) -> str:
        """The user of AMQP."""
        return unquote(urlsplit(self.amqp_url).username or "guest")

    @property
    def vhost(self) -> str:
        return unquote(urlsplit(self.amqp_url).path[1:]) or "/"


def locate_broker(settings: Settings) -> BrokerLocation:
    """The broker that the settings name, else the private one of the data folder.

    Raises `OperatorError` where there is neither.
    """
    if settings.amqp_url is not None:
        given = settings.management_url or _usual_management_url(settings.amqp_url)
        return _address(settings.amqp_url, given)
    files = NodeFiles(settings.data_dir / "rabbitmq")
    kept = files.kept()
    if kept is None or kept.ports is None:
        raise OperatorError(
            f"No broker is named, and no private one was ever started in {settings.data_dir}"
        )
    return _address(
        kept.amqp_url(kept.ports),
        settings.management_url or kept.ports.management_url,
        private=files.folder,
        consumer_timeout=files.consumer_timeout(),
    )


def _address(
    amqp_url: str,
    management_url: str,
    *,
    private: Path | None = None,
    consumer_timeout: timedelta | None = None,
) -> BrokerLocation:
    broker, management = urlsplit(amqp_url), urlsplit(management_url)
    owner = management if management.username else broker
    return BrokerLocation(
        amqp_url=amqp_url,
        management_url=_without_login(management).rstrip("/"),
        management_login=(unquote(owner.username or "guest"), unquote(owner.password or "guest")),
        private=private,
        consumer_timeout=consumer_timeout,
    )


def _usual_management_url(amqp_url: str) -> str:
    parts = urlsplit(amqp_url)
    scheme, port = MANAGEMENT_PORTS[parts.scheme]
    host = parts.hostname or "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _without_login(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

"""Where tests get a broker from: the environment, Docker, or the servers of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.rabbitmq_node.installed_server import InstalledServer, find_server

__all__ = ["BrokerSource", "broker_sources", "docker_answers", "must_have_a_broker"]

AMQP_URL = "COORDINATOR_TEST_AMQP_URL"
MANAGEMENT_URL = "COORDINATOR_TEST_MANAGEMENT_URL"
ROOTS = "COORDINATOR_TEST_RABBITMQ_ROOTS"
"""Folders that hold whole systems with a RabbitMQ of another version each, joined by colons."""

VERSIONS = "COORDINATOR_TEST_RABBITMQ"
"""`all`: every version at hand, not the oldest and the newest alone."""

IMAGES = ("rabbitmq:3.13-management", "rabbitmq:4.0-management", "rabbitmq:4-management")
MADE_BY_THE_MAKEFILE = ("4.0", "4.3")
"""Versions that `deploy/rabbitmq/second-version.sh` can make ready beside the installed one."""
DOCKER_SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSource:
    """One of: a broker that runs already, an image, or a server to start. ``label`` is the id that
    tests are shown with."""

    label: str
    amqp_url: str | None = None
    management_url: str | None = None
    image: str | None = None
    server: InstalledServer | None = None

    @property
    def ours(self) -> bool:
        """Whether tests may start more of them, and stop them."""
        return self.amqp_url is None


def broker_sources(environ: Mapping[str, str] = os.environ) -> list[BrokerSource]:
    """The first kind of source that there is, the oldest version first.

    What differs between versions shows at the two ends: those between are for `VERSIONS` = all.
    """
    if url := environ.get(AMQP_URL):
        management = environ.get(MANAGEMENT_URL)
        if not management:
            raise ValueError(f"{AMQP_URL} is set: set {MANAGEMENT_URL} too, with user and password")
        return [BrokerSource(label="rabbitmq-given", amqp_url=url, management_url=management)]
    if docker_answers(environ):
        images = [BrokerSource(label=image.replace(":", "-"), image=image) for image in IMAGES]
        return _chosen(images, environ)
    return _local_sources(environ)


def docker_answers(environ: Mapping[str, str] = os.environ) -> bool:
    return bool(environ.get("DOCKER_HOST")) or os.access(DOCKER_SOCKET, os.W_OK)


def must_have_a_broker(environ: Mapping[str, str] = os.environ) -> bool:
    """A laptop may go without; CI may not."""
    return environ.get("CI", "").lower() not in {"", "0", "false"}


def _chosen(sources: list[BrokerSource], environ: Mapping[str, str]) -> list[BrokerSource]:
    wanted = environ.get(VERSIONS, "")
    if wanted not in {"", "all"}:
        raise ValueError(f"{VERSIONS}={wanted}: say all, or leave it out")
    return sources if wanted or len(sources) < 3 else [sources[0], sources[-1]]


def _local_sources(environ: Mapping[str, str]) -> list[BrokerSource]:
    roots: list[Path | None] = [None]
    named = [Path(root) for root in environ.get(ROOTS, "").split(os.pathsep) if root]
    if os.geteuid() == 0:  # only root can chroot
        roots += named or _made_by_the_makefile(environ)
    found: dict[tuple[int, ...], BrokerSource] = {}
    for root in roots:
        server = find_server(root)
        if server is not None:
            version = _version(root or Path("/"))
            label = f"rabbitmq-{'.'.join(map(str, version)) or 'local'}"
            found.setdefault(version, BrokerSource(label=label, server=server))
    sources = [found[version] for version in sorted(found)]
    return sources if named else _chosen(sources, environ)


def _made_by_the_makefile(environ: Mapping[str, str]) -> list[Path]:
    """Where `deploy/rabbitmq/second-version.sh` puts them."""
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/root")) / ".cache"
    folder = Path(cache) / "agent-coordinator"
    return [folder / f"rabbitmq-{version}" for version in MADE_BY_THE_MAKEFILE]


def _version(base: Path) -> tuple[int, ...]:
    """Such as (3, 10), from the name of the folder that Debian installs; () where it has none."""
    names = [one.name for one in (base / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")]
    numbers = [name.partition("-")[2].split(".")[:2] for name in names]
    return max((tuple(map(int, one)) for one in numbers if all(map(str.isdigit, one))), default=())

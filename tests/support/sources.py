"""Where tests get a broker from: the environment, Docker, or the servers of this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coordinator.broker.node_server import ServerBinaries, find_server

__all__ = ["BrokerSource", "broker_sources", "docker_answers", "must_have_a_broker"]

AMQP_URL = "COORDINATOR_TEST_AMQP_URL"
MANAGEMENT_URL = "COORDINATOR_TEST_MANAGEMENT_URL"
ROOTS = "COORDINATOR_TEST_RABBITMQ_ROOTS"
"""Folders that hold whole systems with a RabbitMQ of another version each, joined by colons."""

IMAGES = ("rabbitmq:3.13-management", "rabbitmq:4-management")
DOCKER_SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSource:
    """One of: a broker that runs already, an image, or a server to start. ``label`` is the id that
    tests are shown with."""

    label: str
    amqp_url: str | None = None
    management_url: str | None = None
    image: str | None = None
    server: ServerBinaries | None = None

    @property
    def ours(self) -> bool:
        """Whether tests may start more of them, and stop them."""
        return self.amqp_url is None


def broker_sources(environ: Mapping[str, str] = os.environ) -> list[BrokerSource]:
    """The first kind of source that there is, in every version that there is."""
    if url := environ.get(AMQP_URL):
        management = environ.get(MANAGEMENT_URL)
        if not management:
            raise ValueError(f"{AMQP_URL} is set: set {MANAGEMENT_URL} too, with user and password")
        return [BrokerSource(label="rabbitmq-given", amqp_url=url, management_url=management)]
    if docker_answers(environ):
        return [BrokerSource(label=image.replace(":", "-"), image=image) for image in IMAGES]
    return _local_sources(environ)


def docker_answers(environ: Mapping[str, str] = os.environ) -> bool:
    return bool(environ.get("DOCKER_HOST")) or os.access(DOCKER_SOCKET, os.W_OK)


def must_have_a_broker(environ: Mapping[str, str] = os.environ) -> bool:
    """A laptop may go without; CI may not."""
    return environ.get("CI", "").lower() not in {"", "0", "false"}


def _local_sources(environ: Mapping[str, str]) -> list[BrokerSource]:
    roots: list[Path | None] = [None]
    if os.geteuid() == 0:  # only root can chroot
        named = [Path(root) for root in environ.get(ROOTS, "").split(os.pathsep) if root]
        roots += named or [_made_by_the_makefile(environ)]
    found: dict[str, BrokerSource] = {}
    for root in roots:
        server = find_server(root)
        if server is not None:
            label = f"rabbitmq-{_version(root or Path('/'))}"
            found.setdefault(label, BrokerSource(label=label, server=server))
    return list(found.values())


def _made_by_the_makefile(environ: Mapping[str, str]) -> Path:
    """Where `deploy/rabbitmq/second-version.sh` puts it."""
    cache = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "/root")) / ".cache"
    return Path(cache) / "agent-coordinator" / "rabbitmq-4"


def _version(base: Path) -> str:
    """Such as `3.10`, from the name of the folder that Debian installs."""
    for folder in sorted((base / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"), reverse=True):
        return ".".join(folder.name.partition("-")[2].split(".")[:2])
    return "local"

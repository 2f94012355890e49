"""What the registry's benchmarks run on: a private broker, databases, and the service as a process."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from tests.e2e.processes import Process, client, ready, service
from tests.support.management import ManagementApi
from tests.support.postgres import PostgresServer, own_postgres_server

from .registry_ledgers import Contents, fill
from .registry_mixture import Mixture, fill_mixture
from .registry_table import say

__all__ = ["SECRET", "SQLITE", "Database", "Scale", "Service", "Stage", "stage"]

SECRET = "the secret of the benchmarks"
"""The key of the task tokens, so that outcomes can be made here."""

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much of everything."""

    rounds: int
    events: int
    """Of the log, for the projector to catch up with; three a task."""
    lag_seconds: float
    fleets: tuple[int, ...]
    """Agents."""
    requests: int
    """Of each question in a round."""
    beats: int
    stored_tasks: int
    """In the ledger of a service that starts."""
    passing_tasks: int
    """Through the service whose memory is watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    kind: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    process: Process
    base_url: str
    amqp_url: str


class Stage:
    """Made in a folder of its own, all of which goes with it."""

    def __init__(
        self, folder: Path, node: EmbeddedNode, postgres: PostgresServer | None, scale: Scale
    ) -> None:
        self.scale = scale
        self._folder = folder
        self._node = node
        self._postgres = postgres
        self._numbers = itertools.count(1)
        self._filled: dict[Contents, Path] = {}

    @property
    def kinds(self) -> list[str]:
        """Of databases that there are here."""
        return [SQLITE] if self._postgres is None else [SQLITE, POSTGRESQL]

    @contextmanager
    def database(self, kind: str) -> Iterator[Database]:
        """New and empty."""
        with ExitStack() as stack:
            if kind == SQLITE:
                url = f"sqlite:///{self._new_folder() / 'ledger.sqlite3'}"
            else:
                assert self._postgres is not None
                url = stack.enter_context(self._postgres.database())
            yield Database(kind=kind, url=url)

    @asynccontextmanager
    async def filled(self, kind: str, contents: Contents) -> AsyncIterator[Database]:
        """A new one with generated contents; an SQLite file is filled once and copied."""
        with self.database(kind) as database:
            if kind != SQLITE:
                say(f"filling a {kind} ledger: {contents}")
                await fill(database.url, contents)
            else:
                if contents not in self._filled:
                    say(f"filling an {kind} ledger: {contents}")
                    model = self._new_folder() / "ledger.sqlite3"
                    await fill(f"sqlite:///{model}", contents)
                    self._filled[contents] = model
                shutil.copyfile(self._filled[contents], database.url.removeprefix("sqlite:///"))
            yield database

    @asynccontextmanager
    async def mixed(self, kind: str, mixture: Mixture) -> AsyncIterator[Database]:
        """A new one with tasks of all kinds."""
        with self.database(kind) as database:
            say(f"filling a {kind} ledger: {mixture}")
            await fill_mixture(database.url, mixture)
            yield database

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[str]:
        """The URL of a new virtual host."""
        name = f"bench-{next(self._numbers)}"
        api = ManagementApi(
            self._node.management_url, username=self._node.username, password=self._node.password
        )
        async with api:
            await api.create_vhost(name)
            try:
                parts = urlsplit(self._node.amqp_url)
                yield urlunsplit(parts._replace(path="/" + quote(name, safe="")))
            finally:
                await api.delete("vhosts", name)

    @asynccontextmanager
    async def service(
        self, database: Database, amqp_url: str, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Service]:
        """`coordinator serve`, which is ready, with further ``settings``. Its agents are silent and stay
        what they were.
        """
        environment = {
            "COORDINATOR_DATABASE_URL": database.url,
            "COORDINATOR_SECRET": SECRET,
            "COORDINATOR_STALE_AFTER": "86400",
            "COORDINATOR_REMOVE_AFTER": "90000",
            # Modules are compiled once, as where the program is installed, and not at each start.
            "PYTHONDONTWRITEBYTECODE": "",
            **(settings or {}),
        }
        started = service(amqp_url, self._new_folder(), environment=environment)
        async with started as (process, base_url):
            async with client(base_url) as http:
                await ready(http)
            yield Service(process=process, base_url=base_url, amqp_url=amqp_url)

    def _new_folder(self) -> Path:
        folder = self._folder / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder


@asynccontextmanager
async def stage(folder: Path, scale: Scale) -> AsyncIterator[Stage]:
    postgres = own_postgres_server()
    with ExitStack() as stack:
        if postgres is not None:
            stack.callback(postgres.remove)
            postgres.start()
        async with EmbeddedNode(folder / "rabbitmq", say=say, standard_ports=False) as node:
            yield Stage(folder, node, postgres, scale)

"""A PostgreSQL server of the tests' own: from this machine's binaries, or in a container."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import psycopg

from coordinator.rabbitmq_node.free_ports import choose_port

from .sources import docker_answers

__all__ = ["NO_POSTGRES", "PostgresServer", "own_postgres_server"]

BINARIES = "/usr/lib/postgresql"
IMAGE = "postgres:17-alpine"
NO_POSTGRES = "no PostgreSQL at hand: run `make postgres` or start Docker"

USER = "coordinator"
PASSWORD = "a password of the tests"
START_TIMEOUT = 60.0

_numbers = itertools.count(1)


class _Process(Protocol):
    """Where the server runs."""

    port: int

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def remove(self) -> None: ...


class PostgresServer:
    """Listens on loopback; each test has a database of its own on it."""

    def __init__(self, process: _Process) -> None:
        self._process = process

    def start(self) -> None:
        """At the same address and with its data; returns when it takes connections."""
        self._process.start()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                return self._run("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """Rolls back what is under way and closes every connection."""
        self._process.stop()

    def kill(self) -> None:
        """End it without warning, as a crash would; `start` starts it again."""
        self._process.kill()

    def remove(self) -> None:
        self._process.remove()

    def url(self, database: str, *, password: str = PASSWORD, port: int | None = None) -> str:
        password = password.replace(" ", "%20")
        return f"postgresql://{USER}:{password}@127.0.0.1:{port or self._process.port}/{database}"

    @contextlib.contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """The URL of a new and empty database, which goes with the block."""
        name = f"test_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name} {options}")
        try:
            yield self.url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


def own_postgres_server(environ: Mapping[str, str] = os.environ) -> PostgresServer | None:
    """A new server, not started yet; None where there is nothing to start."""
    binaries = sorted(Path(BINARIES).glob("*/bin"), key=lambda path: float(path.parent.name))
    if binaries:
        return PostgresServer(_Local(binaries[-1]))
    if docker_answers(environ):
        return PostgresServer(_Container())
    return None


class _Local:
    """The server refuses to run as root: then it runs as the first of two users that must not own
    anything."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._user = _unprivileged() if os.geteuid() == 0 else None
        memory = Path("/dev/shm")
        self._folder = Path(
            tempfile.mkdtemp(prefix="postgres-", dir=memory if memory.is_dir() else None)
        )
        if self._user is not None:
            shutil.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._server: subprocess.Popen[bytes] | None = None
        self.port = choose_port([], taken=set())

    def start(self) -> None:
        data = self._folder / "data"
        if not data.exists():
            secret = self._folder / "password"
            secret.write_text(PASSWORD)
            if self._user is not None:
                shutil.chown(secret, self._user.pw_uid, self._user.pw_gid)
            made = self._popen(
                "initdb", "--pgdata", data, "--username", USER, "--pwfile", secret,
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
            )  # fmt: skip
            if made.wait() != 0:
                raise AssertionError(self._log.read_text())
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",  # the tests kill the server, not the machine
            "shared_buffers": "32MB",
            "max_connections": 60,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._server = self._popen("postgres", "-D", data, *options)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def kill(self) -> None:
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def _end(self, number: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(number)
            server.wait(START_TIMEOUT)

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _popen(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        user = self._user
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self._binaries / program, *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )


def _unprivileged() -> pwd.struct_passwd:
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


class _Container:
    def __init__(self) -> None:
        from testcontainers.core.container import DockerContainer  # needs Docker's client

        self.port = choose_port([], taken=set())
        self._created = False
        self._container = (
            DockerContainer(IMAGE)
            .with_env("POSTGRES_USER", USER)
            .with_env("POSTGRES_PASSWORD", PASSWORD)
            .with_env("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --locale=C")
            .with_env("POSTGRES_DB", "postgres")
            .with_bind_ports(5432, self.port)
        )

    def start(self) -> None:
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def remove(self) -> None:
        self._container.stop()

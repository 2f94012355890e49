"""Keeps the folder of a private RabbitMQ node: its configuration, its secrets, its data and its lock.

<data_dir>/
  lock                held while a node uses the folder
  identity.json       user, password and ports, for the next start (mode 0600)
  administrator.txt   the login of the node's administrator, for people (mode 0600)
  rabbitmq.conf       written at each start (mode 0600: it names the first user's password)
  enabled_plugins
  home/.erlang.cookie
  mnesia/             queues and messages: what to back up
  log/                the node's log, and what it printed
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

from coordinator.errors import OperatorError
from coordinator.private_file import write_private_file
from coordinator.private_folder import make_private_folder

from .node_configuration import NODE_NAME, configuration
from .node_identity import Identity, Ports

__all__ = ["NodeFiles"]

GIVEN_UP = "given-up"
"""A file in the folder of a node whose tasks are to be put on another one."""

COOKIE = 0o400
"""The mode of Erlang's cookie, by which a program is a node of the cluster; Erlang refuses a wider one."""


class NodeFiles:
    """Reads and writes the folder, as this process sees it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self.folder / "log" / f"{NODE_NAME}.log"

    @property
    def output(self) -> Path:
        """The file of what the server's processes print."""
        return self.folder / "log" / "output.txt"

    @property
    def administrator(self) -> Path:
        """The file with the login of the node's administrator."""
        return self.folder / "administrator.txt"

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder's lock; yields its file descriptor.

        The server inherits the descriptor: the lock lasts as long as either of them lives.
        Raises `OperatorError` where another node uses the folder, or it cannot be written.
        """
        try:
            make_private_folder(self.folder)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise OperatorError(
                f"The data folder {self.folder} cannot be written ({exc.strerror}):"
                " name another with --data-dir or COORDINATOR_DATA_DIR"
            ) from exc
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OperatorError(
                    f"The data folder {self.folder} is in use by a RabbitMQ node that is running:"
                    " stop it, or name another with --data-dir or COORDINATOR_DATA_DIR"
                ) from None
            yield descriptor
        finally:
            os.close(descriptor)

    def identity(self) -> Identity:
        """The kept identity; where there is none yet that of the folder that was last set aside, should
        this process have been killed at that; or a new one.
        """
        return (
            self.kept()
            or self._set_aside_last()
            or Identity(username="coordinator", password=secrets.token_urlsafe(18))
        )

    def kept(self) -> Identity | None:
        """What a node that was started here keeps; None where none was.

        Raises `OperatorError` where it cannot be read.
        """
        try:
            kept = json.loads((self.folder / "identity.json").read_text())
            ports = Ports(**kept.pop("ports")) if kept.get("ports") else None
            return replace(Identity(**kept), ports=ports)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise OperatorError(
                f"{self.folder / 'identity.json'} cannot be read ({exc.strerror}): run this as the"
                " user that the private RabbitMQ runs as"
            ) from exc
        except (ValueError, TypeError, AttributeError) as exc:
            raise OperatorError(
                f"{self.folder / 'identity.json'} is damaged: restore it, or move the folder away"
                " and start with an empty one"
            ) from exc

    def _set_aside_last(self) -> Identity | None:
        beside = sorted(self.folder.parent.glob(f"{self.folder.name}-until-*"))
        return NodeFiles(beside[-1]).kept() if beside else None

    @property
    def given_up(self) -> bool:
        """Whether this folder was to be set aside, or has been, and is back in its place."""
        return (self.folder / GIVEN_UP).exists()

    def give_up(self) -> None:
        """Mark the folder as one whose tasks are to be put on another node."""
        (self.folder / GIVEN_UP).touch()

    def keep(self) -> None:
        """Take the mark away."""
        (self.folder / GIVEN_UP).unlink(missing_ok=True)

    @property
    def used(self) -> bool:
        """Whether a node has kept data here."""
        return (self.folder / "mnesia").exists()

    def set_aside(self, now: datetime) -> Path:
        """Move all of it to a folder beside, which is returned; user, password and ports stay, so that
        agents find the next node. Raises `OperatorError` where a node uses it.
        """
        aside = self.folder.with_name(f"{self.folder.name}-until-{now:%Y%m%dT%H%M%SZ}")
        with self.locked():
            try:
                self.folder.rename(aside)
                make_private_folder(self.folder)
                identity = (aside / "identity.json").read_text()
                write_private_file(self.folder / "identity.json", identity)
            except FileNotFoundError:
                pass  # it has no identity yet: the next start makes one
            except OSError as exc:
                raise OperatorError(
                    f"{self.folder} cannot be moved aside ({exc.strerror}): move it yourself, and"
                    " start again"
                ) from exc
        return aside

    def consumer_timeout(self) -> timedelta | None:
        """As the node of this folder was told at its latest start; None where that is not known."""
        try:
            lines = (self.folder / "rabbitmq.conf").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            key, _, value = line.partition("=")
            if key.strip() == "consumer_timeout" and value.strip().isdigit():
                return timedelta(milliseconds=int(value))
        return None

    def write(self, identity: Identity, ports: Ports, *, listen_on: str) -> None:
        """Lay the folder out for a start."""
        for name in ("home", "log", "mnesia", "config"):
            make_private_folder(self.folder / name)
        cookie = self.folder / "home" / ".erlang.cookie"
        if cookie.exists():
            cookie.chmod(COOKIE)
        else:
            word = "".join(secrets.choice(string.ascii_uppercase) for _ in range(24))
            write_private_file(cookie, word, mode=COOKIE)
        kept = asdict(replace(identity, ports=ports))
        login = f"user {identity.username}\npassword {identity.password}\n"
        for path, text in (
            (self.folder / "identity.json", json.dumps(kept, indent=1) + "\n"),
            (self.administrator, login),
            (self.folder / "rabbitmq.conf", configuration(identity, ports, listen_on)),
            (self.folder / "enabled_plugins", "[rabbitmq_management].\n"),
        ):
            write_private_file(path, text)

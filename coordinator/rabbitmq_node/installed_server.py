"""Finds the RabbitMQ server that is installed on this machine, and makes the command that runs it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .node_configuration import environment
from .node_identity import Ports
from .server_launch import MOUNT_POINT, STOP_AT_END_OF_INPUT, Launch

__all__ = ["InstalledServer", "find_server"]

DEBIAN_SERVER = "usr/lib/rabbitmq/bin/rabbitmq-server"
"""The real script. Debian's `/usr/sbin/rabbitmq-server` is a wrapper that only root may run."""

DEBIAN_WRAPPER = "rabbitmq-script-wrapper"

ERLANG_FOLDERS = (
    "usr/lib/erlang",
    "usr/local/lib/erlang",
    "opt/homebrew/lib/erlang",
    "usr/lib64/erlang",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledServer:
    """Runs an installed RabbitMQ server, and the epmd (Erlang's name service) that belongs to it.

    With a ``root``, both live inside that folder, which holds a whole system of its own (as
    debootstrap makes it) and are run there by chroot. Only root can do that, and only on Linux.
    """

    script: Path
    epmd_binary: Path
    root: Path | None = None
    listens_on: str = "127.0.0.1"

    def server(self, folder: Path, ports: Ports) -> Launch:
        """Each step is an ``exec``: the child's pid is the Erlang VM's own."""
        command = [str(self.script), "-noshell", "-eval", STOP_AT_END_OF_INPUT]
        if self.root is not None:
            # The mounts are in a namespace of the server's own: when it dies, however it dies, they
            # are gone. RabbitMQ reads its memory use from /proc.
            root = shlex.quote(str(self.root))
            steps = (
                f"mount -t proc proc {root}/proc",
                f"mount --bind {shlex.quote(str(folder))} {root}{MOUNT_POINT}",
                f"exec chroot {root} {shlex.join(command)}",
            )
            command = ["unshare", "--mount", "sh", "-ec", "\n".join(steps)]
        return Launch(command=command, env=self._environment(folder, ports))

    def epmd(self, folder: Path, ports: Ports) -> Launch:
        # RabbitMQ would start it as a daemon that stays when the node is gone; see `_environment`.
        command = [str(self.epmd_binary), "-port", str(ports.epmd), "-address", "127.0.0.1"]
        if self.root is not None:
            command = ["chroot", str(self.root), *command]
        return Launch(command=command, env=self._environment(folder, ports))

    def _environment(self, folder: Path, ports: Ports) -> dict[str, str]:
        """Erlang starts no epmd, not even where the one of the node was killed meanwhile."""
        seen = Path(MOUNT_POINT) if self.root else folder
        return environment(seen, ports) | {"ERL_AFLAGS": "-start_epmd false"}


def find_server(
    root: Path | None = None, *, environ: Mapping[str, str] = os.environ
) -> InstalledServer | None:
    """The RabbitMQ server of this machine, or of the system inside ``root``, if there is one."""
    base = root or Path("/")
    script = _debian_server(base) or (None if root else _server_on_path(environ.get("PATH", "")))
    epmd = _epmd(base)
    if script is None or epmd is None:
        return None
    if root is None:
        return InstalledServer(script=script, epmd_binary=epmd)
    return InstalledServer(
        script=Path("/") / script.relative_to(root),
        epmd_binary=Path("/") / epmd.relative_to(root),
        root=root,
    )


def _debian_server(base: Path) -> Path | None:
    script = base / DEBIAN_SERVER
    return script if os.path.lexists(script) else None


def _server_on_path(path: str) -> Path | None:
    searched = os.pathsep.join([path, "/usr/local/sbin", "/opt/homebrew/sbin", "/usr/sbin"])
    found = shutil.which("rabbitmq-server", path=searched)
    if found is None or Path(found).resolve().name == DEBIAN_WRAPPER:
        return None
    return Path(found)


def _epmd(base: Path) -> Path | None:
    for folder in ERLANG_FOLDERS:
        for found in sorted((base / folder).glob("erts-*/bin/epmd"), reverse=True):
            return found
    on_path = shutil.which("epmd") if base == Path("/") else None
    return Path(on_path) if on_path else None

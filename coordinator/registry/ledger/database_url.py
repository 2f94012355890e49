"""Parses the address of a ledger's database, a file or a URL; what is wrong with it is one line."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from coordinator.errors import OperatorError
from coordinator.private_file import PRIVATE_FILE, wide_file
from coordinator.private_folder import make_private_folder

__all__ = ["POSTGRESQL", "SQLITE", "is_a_file", "make_private_file", "parse", "wide_ledger"]

SQLITE, POSTGRESQL = "sqlite", "postgresql+psycopg"
_DRIVERS = {"sqlite": SQLITE, "postgresql": POSTGRESQL, "postgres": POSTGRESQL}

_OTHERS = frozenset({"mariadb", "mssql", "mysql", "oracle"})
"""Named in the error; what else stands there may be a part of anything."""

_OF_SQLITE = frozenset(
    {"cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout"}
)
"""What may follow the question mark of its address."""

MAX_PORT = 65_535
_NO_PORT = (
    "has a port that is no number from 1 to 65535. Write an IPv6 address in brackets, as"
    " postgresql://user:password@[::1]:5432/name; in a user or a password, write : as %3A and @ as"
    " %40"
)

_SECOND_AT = (
    "has an @ behind the host. In a user, a password or a name, write @ as %40, : as %3A, / as %2F, # as %23"
    " and ? as %3F"
)

EXAMPLE = (
    "sqlite:////var/lib/agent-coordinator/ledger.sqlite3 or postgresql://user:password@host/name"
)


def parse(place: str | Path) -> URL:
    """With the driver that is used here, whichever was named. Raises `OperatorError`, in words that
    hold no part of a password.
    """
    if isinstance(place, Path):
        return URL.create(SQLITE, database=str(place))
    try:
        parsed = make_url(place)
    except ArgumentError as exc:
        raise OperatorError(
            f"COORDINATOR_DATABASE_URL is not a database's address, such as {EXAMPLE}"
        ) from exc
    except ValueError as exc:  # of the port, which may be a part of anything
        raise OperatorError(f"COORDINATOR_DATABASE_URL {_NO_PORT}") from exc
    if "@" in f"{parsed.host or ''}{parsed.database or ''}" or any(
        "@" in key for key in parsed.query
    ):
        raise OperatorError(f"COORDINATOR_DATABASE_URL {_SECOND_AT}")
    kind = parsed.get_backend_name()
    if kind not in _DRIVERS:
        named = repr(kind) if kind in _OTHERS else "a database of this kind"
        raise OperatorError(
            f"The ledger cannot be in {named}: COORDINATOR_DATABASE_URL is {EXAMPLE}"
        )
    parsed = parsed.set(drivername=_DRIVERS[kind])
    if parsed.drivername == SQLITE:
        return _checked_file(parsed, has_query="?" in place)
    if parsed.port is not None and not 0 < parsed.port <= MAX_PORT:
        raise OperatorError(f"COORDINATOR_DATABASE_URL {_NO_PORT}")
    return parsed


def _checked_file(url: URL, *, has_query: bool) -> URL:
    """One that is there for every connection, and again tomorrow."""
    file = url.database or ""
    if file in ("", ":memory:"):
        raise OperatorError(
            "COORDINATOR_DATABASE_URL names no file for SQLite: write sqlite:////folder/file, with"
            " four slashes before an absolute path"
        )
    if has_query and not (url.query and url.query.keys() <= _OF_SQLITE):
        raise OperatorError(
            "COORDINATOR_DATABASE_URL has a question mark, and what follows it means nothing here:"
            " where it belongs to the name of a folder, set COORDINATOR_DATA_DIR instead"
        )
    try:
        return url.set(database=str(Path(file).expanduser()) if file.startswith("~") else file)
    except RuntimeError as exc:
        raise OperatorError(f"COORDINATOR_DATABASE_URL has no home to put for ~: {exc}") from exc


def make_private_file(path: Path) -> None:
    """Make the file, and its folder, for this user alone: the key of the task tokens is in it. Raises
    `OperatorError`.
    """
    try:
        make_private_folder(path.parent)
        path.touch(mode=PRIVATE_FILE, exist_ok=True)
    except OSError as exc:
        raise OperatorError(_cannot_be_made(path, exc)) from exc


def wide_ledger(place: str | Path) -> str | None:
    """One line that names the fix, where the ledger is a file that other users may read. Raises
    `OperatorError`.
    """
    url = parse(place)
    if url.drivername != SQLITE or url.database is None:
        return None
    return wide_file(Path(url.database))


def _cannot_be_made(path: Path, exc: OSError) -> str:
    folder, why = path.parent, exc.strerror
    if is_a_file(folder):
        why = "it is a file"
    elif exc.filename == str(path) and _is_there(folder):
        return (
            f"The ledger {path} cannot be written: {why}. Let this user write there, or choose another"
            " folder with --data-dir or COORDINATOR_DATA_DIR"
        )
    return (
        f"The data folder {folder} cannot be made: {why}. Choose another with --data-dir or"
        " COORDINATOR_DATA_DIR"
    )


def is_a_file(folder: Path) -> bool:
    """Whether there is something that is no folder; False where that cannot be told."""
    return _is_there(folder) and not folder.is_dir()


def _is_there(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:
        return False

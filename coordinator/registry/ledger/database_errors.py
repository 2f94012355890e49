"""Translates a database's errors: into those that waiting may mend, and those that an operator must."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from coordinator.errors import LedgerUnavailable

__all__ = ["misconfigured", "translated"]


@contextmanager
def translated() -> Iterator[None]:
    """The one place where a database that is locked, full or away becomes `LedgerUnavailable`.

    What a statement itself got wrong (a constraint, a value out of range) is no such thing: waiting
    does not mend it.
    """
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, PoolTimeout) as exc:
        raise _unavailable(exc) from exc
    except DatabaseError as exc:
        if type(exc) is DatabaseError:  # the file is not a database, or is damaged
            raise _unavailable(exc) from exc
        raise


def _unavailable(exc: SQLAlchemyError) -> LedgerUnavailable:
    original = getattr(exc, "orig", None) or exc
    reason = " ".join(str(original).split())
    return LedgerUnavailable(f"The database cannot be used right now: {reason}")


_PASSES = (
    "starting up",
    "shutting down",
    "not yet accepting",
    "recovery",
    "too many clients",
    "connection slots",
    "terminating connection",
)
"""A server that refuses with one of these takes connections again without anybody's help."""


def misconfigured(exc: BaseException | None) -> bool:
    """Whether this error at the first connection is not one that waiting mends, as far as can be
    told: a PostgreSQL server that answered and said no, or a file that is no database.
    """
    if not isinstance(exc, DBAPIError):
        return False
    reason = str(exc.orig)
    if "psycopg" in type(exc.orig).__module__:
        answered = "FATAL" in reason or not isinstance(exc, OperationalError)
        return answered and not any(words in reason for words in _PASSES)
    return "locked" not in reason

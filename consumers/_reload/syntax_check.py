"""Says in one line why a Python file cannot be compiled, without running it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

__all__ = ["syntax_problem"]


def syntax_problem(files: Iterable[Path]) -> str | None:
    """Of the first file that has one; None where all can be compiled. A file that is gone has none."""
    for file in sorted(files):
        try:
            source = file.read_bytes()
        except OSError:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they are told when it is imported
                compile(source, str(file), "exec", dont_inherit=True)
        except SyntaxError as exc:
            return f"{file.name}, line {exc.lineno or 1}: {type(exc).__name__}: {exc.msg}"
        except (ValueError, RecursionError, MemoryError) as exc:
            return f"{file.name}: {type(exc).__name__}: {exc}"
    return None

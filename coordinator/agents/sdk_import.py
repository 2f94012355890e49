"""Imports modules of the agent SDK: as `consumers`, or under another name where a project's module has that.

The SDK's modules name each other by relative imports alone, so that their files work under either name.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import coordinator

__all__ = ["import_sdk"]

SDK = Path(coordinator.__file__).resolve().parents[1] / "consumers" / "__init__.py"

OWN, OTHER = "consumers", f"{__package__}.sdk"


def import_sdk(module: str = "") -> ModuleType:
    """The package, or its ``module``: for the whole process under the name by which it was imported first."""
    package = OTHER if OTHER in sys.modules or not _own_name_is_free() else OWN
    return importlib.import_module(f"{package}.{module}" if module else package)


def _own_name_is_free() -> bool:
    """Whether `import consumers` gives the SDK."""
    try:
        found = find_spec(OWN)
    except ValueError:  # a module that somebody made without a file has the name
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve() == SDK

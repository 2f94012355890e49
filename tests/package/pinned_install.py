"""Loads deploy/pinned_install.py, which is a script and in no package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.e2e.processes import ROOT

__all__ = ["pinned_install"]


def pinned_install() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "pinned_install", ROOT / "deploy" / "pinned_install.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

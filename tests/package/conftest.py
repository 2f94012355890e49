"""The package, built once for all tests of a process."""

from __future__ import annotations

import pytest

from tests.e2e.processes import ROOT

from .environments import Built, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(ROOT, tmp_path_factory.mktemp("dist"))

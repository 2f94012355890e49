"""A resource has one name: that of the module of its endpoints and of its requests and answers."""

from __future__ import annotations

from pathlib import Path

import coordinator.api

API = Path(coordinator.api.__file__).parent

WITHOUT_MODELS = {"docs_page"}
"""Answers HTML, and the document itself."""

ANOTHERS_MODELS = {"lean_submit"}
"""Reads and answers what `task_submission` and `task_batches` do."""

WITHOUT_ENDPOINTS = {"agent_registration", "errors"}
"""The largest request of `agents`, and the answers that all endpoints share."""


def names(folder: str) -> set[str]:
    found = {path.stem for path in (API / folder).glob("*.py")} - {"__init__"}
    assert len(found) > 10
    return found


def test_each_resource_has_its_endpoints_and_its_models_under_one_name() -> None:
    endpoints = names("endpoints") - WITHOUT_MODELS - ANOTHERS_MODELS
    models = names("wire") - WITHOUT_ENDPOINTS

    assert endpoints == models

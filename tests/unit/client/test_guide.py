"""The guide to the Python client names every method of it."""

from __future__ import annotations

import re

from coordinator.client import AsyncClient, Client
from tests.docs.blocks import ROOT

GUIDE = ROOT / "docs" / "guides" / "python-client.md"


def test_the_guide_names_each_method() -> None:
    named = set(re.findall(r"\w+", GUIDE.read_text()))
    methods = {name for one in (Client, AsyncClient) for name in dir(one) if name[0] != "_"}
    assert methods - named == {"close"}

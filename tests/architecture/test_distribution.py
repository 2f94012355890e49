"""The name under which the project is installed, wherever it is written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from coordinator import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])

WITH_EXTRAS = re.compile(r"""['"`]([\w.-]+)\[([a-z]+(?:,\s*[a-z]+)*)\]['"`]""")
"""A requirement such as 'name[one,two]'."""
INSTALLED = re.compile(
    r"\b(?:pip3?|pipx|uv|poetry|pdm) (?:pip )?(?:install|add|tool install)\b[^`\n]*"
)


def normalised(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def texts() -> dict[str, str]:
    """What people read, and what tells them something: pages, sources, what is deployed."""
    files = [ROOT / "README.md", ROOT / "Makefile"]
    for folder in ("docs", "coordinator", "consumers", "deploy"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert len(files) > 400
    readable = (path for path in files if "__pycache__" not in path.parts and path.suffix != ".png")
    return {str(path.relative_to(ROOT)): path.read_text() for path in readable}


def test_the_name_is_the_same_everywhere() -> None:
    assert PROJECT["name"] == DISTRIBUTION


def test_no_page_names_a_package_that_is_somebody_elses() -> None:
    """Whoever follows it would install, and run, what a stranger wrote."""
    wrong = []
    for path, text in texts().items():
        for name, extras in WITH_EXTRAS.findall(text):
            of_ours = set(re.split(r",\s*", extras)) <= EXTRAS and name != "."
            if of_ours and normalised(name) != DISTRIBUTION:
                wrong.append(f"{path}: {name}[{extras}]")
        wrong += [
            f"{path}: {command}"
            for command in INSTALLED.findall(text)
            if re.search(r"(?<![\w.-])agent[-_.]?coordinator\b", command, re.IGNORECASE)
        ]
    assert wrong == []

"""What is in the package, and what an index tells of it."""

from __future__ import annotations

import email
import email.message
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from coordinator import DISTRIBUTION, __version__
from tests.e2e.processes import ROOT

from .environments import Built, build, sources_published_at

REPOSITORY = "https://repository.example/somebody/coordinator"
TREE = f"{REPOSITORY}/blob/v{__version__}/"
STEM = f"{DISTRIBUTION.replace('-', '_')}-{__version__}"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """By somebody who has filled in where."""
    sources = sources_published_at(REPOSITORY, tmp_path_factory.mktemp("sources"))
    return build(sources, tmp_path_factory.mktemp("published"))


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as opened:
        return email.message_from_bytes(opened.read(f"{STEM}.dist-info/METADATA"))


def files_of(*folders: str) -> set[str]:
    """What the repository has there: by git where it is one, for caches and the like are no part of it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this is no checkout of git")
    return {line for line in listed.stdout.splitlines() if (ROOT / line).is_file()}


def test_the_wheel_has_the_two_packages_and_the_licence_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as opened:
        names = {name for name in opened.namelist() if not name.startswith(f"{STEM}.dist-info/")}
        own = set(opened.namelist()) - names
    assert built.wheel.name == f"{STEM}-py3-none-any.whl"
    assert names == files_of("coordinator", "consumers")
    assert {"coordinator/py.typed", "consumers/py.typed"} <= names
    assert f"{STEM}.dist-info/licenses/LICENSE" in own


def test_the_sdist_has_the_sources_and_nothing_of_the_machine(built: Built) -> None:
    with tarfile.open(built.sdist) as opened:
        names = {name.removeprefix(f"{STEM}/") for name in opened.getnames()}
        owners = {member.uname or member.gname for member in opened.getmembers()}
    assert names - files_of() == {"PKG-INFO"}
    assert owners == {""}
    assert {"LICENSE", "Makefile", "constraints.txt", "hatch_build.py", "README.md"} <= names
    assert {"tests/conftest.py", "docs/index.md", "deploy/venv.sh"} <= names


def test_an_index_renders_it(built: Built, published: Built) -> None:
    files = [str(path) for one in (built, published) for path in (one.wheel, one.sdist)]
    ended = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("PASSED") == 4


def test_its_urls_are_those_of_who_publishes_it(built: Built, published: Built) -> None:
    urls = dict(
        line.split(", ", 1) for line in metadata(published.wheel).get_all("Project-URL", [])
    )
    assert urls == {
        "Homepage": REPOSITORY,
        "Source": REPOSITORY,
        "Issues": f"{REPOSITORY}/issues",
        "Documentation": f"{REPOSITORY}/blob/v{__version__}/docs/index.md",
        "Changelog": f"{REPOSITORY}/blob/v{__version__}/CHANGELOG.md",
    }
    assert metadata(built.wheel).get_all("Project-URL") is None


def test_no_link_of_the_page_on_an_index_leads_nowhere(built: Built, published: Built) -> None:
    pages = [str(metadata(one.wheel).get_payload()) for one in (built, published)]
    assert not any("<!--" in page for page in pages)
    without, targets = (re.findall(r"\]\(([^)]+)\)", page) for page in pages)
    assert without == []
    assert len(targets) > 5
    for target in targets:
        tree, path = target[: len(TREE)], target[len(TREE) :].partition("#")[0]
        assert tree == TREE
        assert (ROOT / path).exists(), target


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    sources = sources_published_at("repository.example", tmp_path)
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist"]
    ended = subprocess.run(
        [*command, "--outdir", str(tmp_path / "dist"), str(sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "is to be an address with https://" in ended.stdout + ended.stderr


def test_it_says_what_it_is(built: Built) -> None:
    told = metadata(built.wheel)
    assert (told["Name"], told["Version"]) == (DISTRIBUTION, __version__)
    assert told["License-Expression"] == "MIT"
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    classifiers = told.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    assert not any(one.startswith("License ::") for one in classifiers)  # the expression says it

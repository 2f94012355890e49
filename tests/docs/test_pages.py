"""The pages as text: their links, their blocks, and the names that they mention."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.api.app import create_app
from coordinator.commands.argument_parser import argument_parser

from .blocks import ROOT, Block, blocks, pages
from .services import no_services

PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks(page)]
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
CURL_URL = re.compile(r"http://(?:localhost|127\.0\.0\.1):9001(/[^\s'\"]*)?")


def _ids(value: object) -> str:
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else str(value)


def _of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not link.startswith(("http", "#", "mailto"))]

    missing = [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    assert not missing


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        links = LINK.findall(page.read_text(encoding="utf-8"))
        waiting += [(page.parent / link.split("#")[0]).resolve() for link in links]

    assert set(PAGES) - {ROOT / "README.md"} <= reached


@pytest.mark.parametrize("block", _of("json"), ids=_ids)
def test_json_is_json(block: Block) -> None:
    json.loads(block.code)


@pytest.mark.parametrize("block", _of("python"), ids=_ids)
def test_python_compiles(block: Block) -> None:
    ast.parse(block.code)


@pytest.mark.parametrize("block", _of("bash"), ids=_ids)
def test_shell_blocks_parse(block: Block) -> None:
    parsed = subprocess.run(
        ["bash", "-n"], input=block.code, text=True, capture_output=True, check=False
    )

    assert parsed.returncode == 0, parsed.stderr


def _requests(block: Block) -> Iterator[tuple[str, str]]:
    """Method and path of each curl command."""
    for command in re.split(r"\n(?!\s)", block.code.replace("\\\n", " ")):
        if not command.strip().startswith("curl"):
            continue
        words = shlex.split(command)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        for word in words:
            if found := CURL_URL.fullmatch(word):
                yield method, (found[1] or "/").split("?")[0].removeprefix("/v1")


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    document: dict[str, Any] = create_app(no_services()).openapi()
    found: dict[str, Any] = document["paths"] | {"/docs": {"get": {}}, "/openapi.json": {"get": {}}}
    return found


@pytest.mark.parametrize("block", _of("bash"), ids=_ids)
def test_curl_commands_call_endpoints_that_exist(block: Block, paths: dict[str, Any]) -> None:
    for method, path in _requests(block):
        templates = [
            template
            for template in paths
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path)
        ]
        assert any(method.lower() in paths[template] for template in templates), f"{method} {path}"


@pytest.mark.parametrize("block", _of("bash"), ids=_ids)
def test_commands_of_the_coordinator_have_options_that_exist(block: Block) -> None:
    for line in block.code.replace("\\\n", " ").splitlines():
        command = re.split(r" #| \|\|? | > ", line)[0].strip().rstrip("&").strip()
        command = command.removeprefix(".venv/bin/")
        if command.startswith("coordinator "):
            argument_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_commands_of_make_are_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", text))
    for block in blocks(page):
        named |= set(re.findall(r"^make ([a-z-]+)", block.code, re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_no_page_names_a_machine_or_has_very_long_lines(page: Path) -> None:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        assert "/home/" not in line
        assert len(line) <= 120 or line.startswith("|"), f"{page.name}:{number}"


def test_the_reference_is_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, (
        f"{checked.stdout}{checked.stderr}\nrun: python docs/generate.py"
    )


def test_environment_variables_that_pages_name_are_settings() -> None:
    from coordinator.environment import ENV_PREFIX
    from coordinator.settings import Settings
    from coordinator.settings.settings_loader import ADDRESS, AGENTS, CALLERS

    known = {f"{ENV_PREFIX}{name.upper()}" for name in (*Settings.model_fields, *CALLERS, *AGENTS)}
    known |= {f"{name}_FILE" for name in known} | {ENV_PREFIX, f"{ENV_PREFIX}{ADDRESS.upper()}"}
    for page in PAGES:
        named = set(re.findall(r"COORDINATOR_[A-Z_]*", page.read_text(encoding="utf-8")))
        unknown = {name for name in named - known if not name.startswith("COORDINATOR_TEST_")}
        assert not unknown, page.name


PASSWORD = re.compile(r"://[^\s/@:]+:[^\s/@]+@")


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_no_command_has_a_password_in_it(page: Path) -> None:
    """Other users see it in the list of processes, and it stays in the shell's history: a file holds it."""
    shells = [one for one in blocks(page) if one.language in {"bash", "sh", "text", "console"}]
    assert [found for one in shells for found in PASSWORD.findall(one.code)] == []

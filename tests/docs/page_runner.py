"""Runs the blocks of one page in their order, against a running system."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.support.running_system import System
from tests.support.waiting import eventually

from .blocks import ROOT, Block

__all__ = ["PageRunner"]

PORT_OF_THE_PAGES = re.compile(r"(?<=://)(?:localhost|127\.0\.0\.1):9001")
DEMO = re.compile(r"^make demo$", re.MULTILINE)
PATIENCE = 90.0
"""Seconds for one block, and for a result that comes eventually."""


class PageRunner:
    """``folder`` is the page's own."""

    def __init__(self, folder: Path, system: System, *, management_url: str) -> None:
        """``management_url``: with the login of an administrator, who is in `make run`'s data folder."""
        self._folder = folder
        self._api = system.api
        self._background: list[asyncio.subprocess.Process] = []
        administrator = {"COORDINATOR_MANAGEMENT_URL": management_url}
        self._environment = {**_environment(folder, system), **administrator}
        self._output = folder / "background.out"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[PageRunner]:
        self._folder.mkdir(parents=True)
        _write_curl(self._folder / "bin" / "curl")
        try:
            yield self
        finally:
            await self._stop_background()

    async def run(self, block: Block) -> None:
        """Raises `AssertionError` if the block does not do what its marker says."""
        code = self._adapted(block.code)
        match block.verb:
            case "skip":
                return
            case "file":
                (self._folder / block.argument).write_text(code)
            case "background":
                self._background.append(await self._start(block.language, code, self._output))
            case "fails":
                code_of_end, printed = await self._finish(block.language, code)
                assert code_of_end != 0, f"{block} should fail, but printed {printed}"
            case "eventually":
                await self._eventually(block, code)
            case _:
                if block.verb == "stop":
                    await self._stop_background()
                code_of_end, printed = await self._finish(block.language, code)
                assert code_of_end == 0, f"{block} ended with {code_of_end}: {printed}"

    def _adapted(self, code: str) -> str:
        code = PORT_OF_THE_PAGES.sub(self._api.removeprefix("http://"), code)  # also of ws://
        demo = f"{sys.executable} -m coordinator demo --count 25 --url {self._api}"
        code = code.replace(".venv/bin/coordinator", ".venv/bin/python -m coordinator")
        return DEMO.sub(demo, code.replace(".venv/bin/python", sys.executable))

    async def _eventually(self, block: Block, code: str) -> None:
        wanted = _squeezed(block.argument)
        last = ""

        async def there() -> bool:
            nonlocal last
            code_of_end, last = await self._finish(block.language, code)
            return code_of_end == 0 and wanted in _squeezed(last)

        try:
            await eventually(there, timeout=PATIENCE)
        except AssertionError:
            background = self._output.read_text() if self._output.is_file() else ""
            raise AssertionError(
                f"{block} printed {last!r}, without {wanted!r}; in the background: {background}"
            ) from None

    async def _finish(self, language: str, code: str) -> tuple[int, str]:
        process = await self._start(language, code)
        try:
            async with asyncio.timeout(PATIENCE):
                printed, _ = await process.communicate()
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)  # a session of its own
            printed, _ = await process.communicate()
            raise AssertionError(
                f"it did not end within {PATIENCE} s:\n{code}\n{printed.decode(errors='replace')}"
            ) from None
        assert process.returncode is not None
        return process.returncode, printed.decode(errors="replace")

    async def _start(
        self, language: str, code: str, output: Path | None = None
    ) -> asyncio.subprocess.Process:
        command = (
            [sys.executable, "-c", code]
            if language == "python"
            else ["bash", "-euo", "pipefail", "-c", code]
        )
        with output.open("ab") if output else contextlib.nullcontext() as sink:
            return await asyncio.create_subprocess_exec(
                *command,
                cwd=self._folder,
                env=self._environment_of(code),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink or asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment_of(self, code: str) -> Mapping[str, str]:
        """Who names a file with the broker's address has no other: `make run` sets none."""
        names_a_file = "COORDINATOR_AMQP_URL_FILE=" in code
        return {
            name: value
            for name, value in self._environment.items()
            if not (names_a_file and name == "COORDINATOR_AMQP_URL")
        }

    async def _stop_background(self) -> None:
        """As Ctrl-C does, for each and all that it started."""
        while self._background:
            process = self._background.pop()
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), timeout=10)
                    break


def _environment(folder: Path, system: System) -> Mapping[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COORDINATOR_", "OPENAI_")) and not name.lower().endswith("_proxy")
    }
    path = [str(folder / "bin"), str(Path(sys.executable).parent), clean.get("PATH", "")]
    return clean | {
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": str(ROOT),
        "COORDINATOR_AMQP_URL": system.amqp_url,
        "COORDINATOR_URL": system.api,
        "COORDINATOR_DATA_DIR": str(system.data),
        "XDG_CACHE_HOME": str(system.cache),
        "COLUMNS": "80",
    }


def _write_curl(path: Path) -> None:
    """A `curl` that tells an HTTP error by its exit code, on machines without one as well."""
    path.parent.mkdir()
    path.write_text(
        f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("curl.py")} "$@"\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _squeezed(text: str) -> str:
    return "".join(text.split())

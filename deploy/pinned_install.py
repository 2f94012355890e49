"""Installs the project with what is pinned into the environment of the Python that runs this: by uv where the
index has it, which takes seconds, else by pip. Tells meanwhile how far it is, in one line.

uv reads none of pip's configuration. What pip is told of indexes, certificates and more constraints is told
to uv as well; where pip is told something that uv cannot be, pip installs.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
WANTED = ("--editable", ".[service]", "--group", "dev")

TOLD_TO_UV: Mapping[str, tuple[str, str]] = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
}
"""Options of pip, with uv's variable for each and what separates several values in it."""

OF_PIP_ALONE = frozenset(
    {
        *(
            "cache-dir",
            "config-file",
            "disable-pip-version-check",
            "exists-action",
            "no-color",
            "no-compile",
        ),
        *(
            "no-cache-dir",
            "no-input",
            "no-warn-script-location",
            "prefer-binary",
            "progress-bar",
            "quiet",
            "retries",
        ),
        *("require-virtualenv", "root-user-action", "use-feature", "verbose"),
    }
)
"""Options of pip that change nothing about what is installed, or from where."""

TOLD_OF_A_FAILURE = 40
"""Lines of what an installer printed last."""

TICK = 0.5
"""Seconds between two looks of the line at the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UvOptions:
    """Tells uv what pip is told."""

    environment: Mapping[str, str]
    """Addresses with passwords among them, which a command line would show to others."""
    arguments: tuple[str, ...]


def uv_options(pip_options: Mapping[str, str]) -> UvOptions | None:
    """None where uv cannot be told all of it."""
    # As pip does: the best version of all indexes, and not of the first that has the package.
    told = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_PYTHON_DOWNLOADS": "never"}
    arguments: list[str] = []
    for option, value in pip_options.items():
        if (
            option == "constraint"
        ):  # as a variable it would not be read beside the argument of our own
            arguments += [f"--constraint={path}" for path in value.split()]
        elif option in TOLD_TO_UV:
            variable, between = TOLD_TO_UV[option]
            told[variable] = between.join(value.split())
        elif option not in OF_PIP_ALONE:
            return None
    return UvOptions(environment=told, arguments=tuple(arguments))


def with_told(environment: Mapping[str, str], told: Mapping[str, str]) -> dict[str, str]:
    """``environment`` with what uv is told; uv's own variables count more where they are set."""
    theirs = {name for name in environment if name.startswith("UV_")}
    return {**environment, **{name: told[name] for name in told if name not in theirs}}


def pip_options(listed: str) -> dict[str, str]:
    """What `pip install` is told by its files and its environment, of what `pip config list` prints."""
    found: dict[str, str] = {}
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    for section in ("global.", "install.", ":env:."):  # the later ones count more
        for key, _, value in lines:
            if key.startswith(section):
                found[key.removeprefix(section)] = str(ast.literal_eval(value))
    return found


def steps(output: Iterable[str]) -> Iterator[str]:
    """What the installer is at, of the lines that it prints."""
    collected = 0
    for line in output:
        if found := re.match(r"Resolved (\d+) packages?", line):
            yield f"fetching {found[1]} packages"
        elif line.startswith("Prepared "):
            yield "putting them in place"
        elif re.match(r"\s*Collecting [\w.-]+", line):
            collected += 1
            yield f"fetching packages, {collected} so far"
        elif line.startswith("Installing collected packages"):
            yield "putting them in place"


class ProgressLine:
    """Shows what is done and for how long: over itself on a terminal, else once for each step."""

    def __init__(self, work: str, out: TextIO) -> None:
        self._work, self._out = work, out
        self._step = "looking for them"
        self._began = time.monotonic()
        self._over = threading.Event()
        self._ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if self._out.isatty():
            self._ticking.start()
        else:
            self._write(f"{self._work} ...\n")
        return self

    def step(self, step: str) -> None:
        self._step = step

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._ticking.is_alive():
            self._ticking.join()
            self._write("\r\x1b[K")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def _tick(self) -> None:
        while not self._over.is_set():
            line = f"{self._work}: {self._step}, {self.seconds:.0f} s"
            self._write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            self._over.wait(TICK)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def run(work: str, command: Sequence[str], told: Mapping[str, str] | None = None) -> str | None:
    """Run ``command`` with one line of progress; what it printed if it failed, else None."""
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        cwd=ROOT,
        env=with_told(os.environ, told or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    printed: list[str] = []

    def lines() -> Iterator[str]:
        for line in process.stdout or ():
            printed.append(line)
            yield line

    with process, ProgressLine(work, sys.stdout) as progress:
        for step in steps(lines()):
            progress.step(step)
    code = process.wait()
    return ("".join(printed) or f"{command[0]} ended with {code}\n") if code else None


def main() -> int:
    pip = [sys.executable, "-m", "pip"]
    install = ["install", "--constraint", str(CONSTRAINTS)]
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False)  # noqa: S603
    options = uv_options(pip_options(listed.stdout))
    began = time.monotonic()
    failed = None if options is None else by_uv(pip, install, options)
    if failed is not None:
        lines = failed.strip().splitlines()
        print(f"uv could not do it, so pip is to: {lines[-1].strip() if lines else failed}")
    if options is None or failed is not None:
        # Older versions of pip know nothing of dependency groups.
        failed = run("Getting a recent pip", [*pip, *install, "--upgrade", "pip"]) or run(
            "Installing by pip, in a minute or two",
            [*pip, *install, *WANTED],
        )
    if failed is not None:
        sys.stderr.write("".join(failed.splitlines(keepends=True)[-TOLD_OF_A_FAILURE:]))
        return 1
    print(f"Installed, in {time.monotonic() - began:.0f} s.")
    return 0


def by_uv(pip: Sequence[str], install: Sequence[str], options: UvOptions) -> str | None:
    """What was printed where it failed, else None."""
    failed = run("Getting uv, which installs faster than pip", [*pip, *install, "uv"])
    if failed is not None:
        return failed
    uv = [str(Path(sys.executable).with_name("uv")), "pip", *install, *options.arguments]
    command = [*uv, "--python", sys.executable, *WANTED]
    return run("Installing what is pinned", command, options.environment)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

"""Handlers that store and fetch, in a folder: what they may give, get, and are told."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from consumers import Agent, Task
from consumers._handling.run_timers import RunTimers
from consumers.testing import run_task
from coordinator.errors import OperatorError
from tests.support.waiting import eventually

MIB = 1024 * 1024


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def stored(data: Any, folder: Path, **options: Any) -> Any:
    async def handler(task: Task) -> Any:
        return await task.store(data, **options)

    return (await run_task(handler, artifacts=folder)).result


async def test_what_is_too_large_for_a_result_goes_by_reference_to_the_next_task(
    tmp_path: Path,
) -> None:
    agent = Agent("a")
    content = bytes(range(256)) * (3 * MIB // 256)

    @agent.task("write")
    async def write(task: Task) -> Any:
        return {"pages": await task.store(content, name="pages.bin", media_type="x/y; z=1")}

    @agent.task("read")
    def read(task: Task) -> Any:
        return hashlib.sha256(task.fetch(task.data["pages"])).hexdigest()

    written = await run_task(agent, {"task_type": "write"}, artifacts=tmp_path)
    pages = written.result["pages"]
    digest = hashlib.sha256(content).hexdigest()
    assert pages == {
        "uri": pages["uri"],
        "size": 3 * MIB,
        "sha256": digest,
        "media_type": "x/y; z=1",
        "name": "pages.bin",
    }
    read_again = await run_task(agent, {"task_type": "read", **written.result}, artifacts=tmp_path)
    assert read_again.result == digest


async def test_bytes_files_and_paths_are_stored_and_named(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    file.write_bytes(b"a,b")
    kinds: list[Any] = [b"a,b", bytearray(b"a,b"), memoryview(b"a,b"), io.BytesIO(b"a,b"), file]
    found = [await stored(data, tmp_path) for data in kinds]
    assert [reference["size"] for reference in found] == [3] * 5
    assert [reference["name"] for reference in found] == ["artifact"] * 4 + ["report.csv"]
    assert [one["media_type"] for one in found[3:]] == ["application/octet-stream", "text/csv"]
    assert (await stored(b"", tmp_path))["size"] == 0
    assert len({reference["uri"] for reference in found}) == 5


@pytest.mark.parametrize(
    ("data", "options", "error", "sentence"),
    [
        ("text", {}, "TypeError", "of a text write text.encode()"),
        (io.StringIO("text"), {}, "TypeError", "open it with mode 'rb'"),
        (7, {}, "TypeError", "not a value of type int"),
        (Path("/no/such/file"), {}, "FileNotFoundError", "/no/such/file"),
        (b"", {"name": ""}, "ValueError", "1 to 255 printable characters"),
        (b"", {"name": "a\nb"}, "ValueError", "1 to 255 printable characters"),
        (b"", {"media_type": "text"}, "ValueError", "a media type is like 'text/csv'"),
        (b"", {"media_type": "a/b\r\nX: y"}, "ValueError", "a media type is like 'text/csv'"),
    ],
)
async def test_what_cannot_be_stored_is_refused_with_a_sentence(
    tmp_path: Path, data: Any, options: dict[str, Any], error: str, sentence: str
) -> None:
    async def handler(task: Task) -> Any:
        return await task.store(data, **options)

    ran = await run_task(handler, artifacts=tmp_path)
    assert ran.error.type == error
    assert sentence in ran.error.message
    assert files(tmp_path) == []


@pytest.mark.parametrize("in_thread", [False, True])
async def test_what_is_no_regular_file_is_refused_and_not_waited_for(
    tmp_path: Path, *, in_thread: bool
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def on_the_loop(task: Task) -> Any:
        return await task.store(Path(task.data["path"]))

    def in_a_thread(task: Task) -> Any:
        return task.store(Path(task.data["path"]))

    for path in (pipe, Path("/dev/zero"), tmp_path):
        handler = in_a_thread if in_thread else on_the_loop
        ran = await run_task(handler, {"path": str(path)}, artifacts=tmp_path)
        assert ran.error.message == (
            f"{str(path)!r} is a folder, a pipe or a device: copy what it holds into a file first"
        )
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.csv", "text/csv"),
        ("report.csv.gz", "application/gzip"),
        ("pages.tgz", "application/gzip"),
        ("log.txt.bz2", "application/x-bzip2"),
        ("log.txt.xz", "application/x-xz"),
        ("report", "application/octet-stream"),
        ("data:é x/y,", "application/octet-stream"),
    ],
)
async def test_a_media_type_is_guessed_of_what_the_file_holds_as_it_is(
    tmp_path: Path, name: str, media_type: str
) -> None:
    assert (await stored(b"x", tmp_path, name=name))["media_type"] == media_type


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda path: path.write_bytes(b"abX"), "ArtifactDamaged"),
        (lambda path: path.write_bytes(b"ab"), "ArtifactDamaged"),
        (lambda path: path.write_bytes(b"abc" * MIB), "ArtifactDamaged"),
        (lambda path: path.unlink(), "ArtifactMissing"),
    ],
)
@pytest.mark.parametrize("into_file", [False, True])
async def test_what_is_not_what_was_stored_is_not_given(
    tmp_path: Path, damage: Callable[[Path], Any], error: str, *, into_file: bool
) -> None:
    folder, to = tmp_path / "store", tmp_path / "copy"
    folder.mkdir()
    reference = await stored(b"abc", folder)
    damage(Path(reference["uri"].removeprefix("file://")))

    async def handler(task: Task) -> None:
        await task.fetch(reference, to=to if into_file else None)

    assert (await run_task(handler, artifacts=folder)).error.type == error
    assert files(tmp_path) == files(folder)


async def test_what_is_large_is_fetched_into_a_file_only(tmp_path: Path) -> None:
    reference = await stored(b"abc", tmp_path)
    to = tmp_path / "copy"

    async def handler(task: Task) -> Any:
        with pytest.raises(ValueError, match=re.escape("give task.fetch a file")):
            await task.fetch({**reference, "size": 65 * MIB})
        assert await task.fetch(reference, to=to) == to

    assert (await run_task(handler, artifacts=tmp_path)).result is None
    assert to.read_bytes() == b"abc"


async def test_without_a_store_the_attempt_fails_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COORDINATOR_ARTIFACTS", raising=False)

    async def handler(task: Task) -> Any:
        return await task.store(b"x")

    error = (await run_task(handler)).error
    assert error.type == "ArtifactStoreRefused"
    assert "set COORDINATOR_ARTIFACTS to file:///folder or s3://bucket/prefix" in error.message


async def test_the_environment_names_the_store_and_the_agents_option_goes_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("of-all", "own"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("COORDINATOR_ARTIFACTS", (tmp_path / "of-all").as_uri())

    def handler(task: Task) -> Any:
        return task.store(b"x")["uri"].removeprefix(tmp_path.as_uri()).split("/")[1]

    own = Agent("a", artifacts=(tmp_path / "own").as_uri())
    own.default(handler)
    assert (await run_task(handler)).result == "of-all"
    assert (await run_task(own)).result == "own"


async def test_the_loop_goes_on_while_an_artifact_is_moved(tmp_path: Path) -> None:
    class Slow(io.RawIOBase):
        """Gives its bytes only once the loop has turned."""

        def __init__(self) -> None:
            self.turned = threading.Event()
            self.left = [b"x"]

        def read(self, size: int = -1) -> bytes:
            assert self.turned.wait(60)
            return self.left.pop() if self.left else b""

    slow = Slow()

    async def handler(task: Task) -> Any:
        asyncio.get_running_loop().call_soon(slow.turned.set)
        return (await task.store(cast("Any", slow)))["size"]

    assert (await run_task(handler, artifacts=tmp_path)).result == 1


async def test_a_transfer_that_nobody_waits_for_stops_and_leaves_nothing(tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.begun = asyncio.Event()
            self.loop = asyncio.get_running_loop()

        def read(self, size: int = -1) -> bytes:
            self.loop.call_soon_threadsafe(self.begun.set)
            return b"x"

    endless = Endless()

    async def handler(task: Task) -> None:
        storing = asyncio.create_task(task.store(cast("Any", endless)))
        await endless.begun.wait()
        assert files(tmp_path)
        storing.cancel()
        await asyncio.wait([storing])
        assert storing.cancelled()
        assert await eventually(lambda: not files(tmp_path))

    assert (await run_task(handler, artifacts=tmp_path)).result is None


async def test_a_transfer_of_a_plain_function_that_was_given_up_stops_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    class Endless(io.RawIOBase):
        ended = False

        def read(self, size: int = -1) -> bytes:
            return b"" if self.ended else b"x"

    endless = Endless()

    def handler(task: Task) -> None:
        task.store(cast("Any", endless))

    try:
        ran = await run_task(handler, timeout=timedelta(seconds=0.2), artifacts=tmp_path)
        assert ran.error.type == "Timeout"
        assert await eventually(lambda: not files(tmp_path))
    finally:
        endless.ended = True


@pytest.mark.parametrize("in_thread", [False, True])
async def test_each_piece_that_is_moved_is_a_word_of_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_thread: bool
) -> None:
    words: list[RunTimers] = []

    def word(timers: RunTimers) -> None:
        words.append(timers)

    monkeypatch.setattr(RunTimers, "word", word)

    def in_a_thread(task: Task) -> Any:
        return len(task.fetch(task.store(b"x" * 3 * MIB)))

    async def on_the_loop(task: Task) -> Any:
        return len(await task.fetch(await task.store(b"x" * 3 * MIB)))

    ran = await run_task(in_a_thread if in_thread else on_the_loop, artifacts=tmp_path)
    assert ran.result == 3 * MIB
    assert len(words) == 6


async def test_an_agent_whose_store_is_not_there_does_not_start(tmp_path: Path) -> None:
    agent = Agent("a", artifacts=(tmp_path / "away").as_uri(), cache_dir=tmp_path)
    agent.default(lambda task: None)
    with pytest.raises(OperatorError, match="there is no such folder: make it, or mount it"):
        agent.running()

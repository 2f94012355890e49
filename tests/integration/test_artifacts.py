"""Artifacts in a folder and in a bucket, which behave alike; and by reference through a coordinator."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers import (
    Agent,
    ArtifactMissing,
    ArtifactStoreRefused,
    ArtifactStoreUnavailable,
    Task,
)
from consumers._artifacts.artifact_store import ArtifactStore
from consumers._artifacts.bucket_store import PART, BucketStore
from consumers._artifacts.store_address import opened_store
from consumers.testing import run_task
from coordinator.errors import OperatorError
from tests.support.broker import Broker
from tests.support.ports import free_port
from tests.support.s3_server import S3Server, s3_server, server_that_refuses
from tests.support.serving import serving

pytestmark = pytest.mark.any_broker

KEY = "t/1/u/n.txt"
LARGE = 2 * PART + 5


@pytest.fixture(scope="module")
def s3_of_all() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_of_all: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """Named by the environment."""
    for name, value in s3_of_all.variables.items():
        monkeypatch.setenv(name, value)
    return s3_of_all


@pytest.fixture(params=["folder", "bucket"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        folder = tmp_path / "artifacts"
        folder.mkdir()
        return folder.as_uri()
    server: S3Server = request.getfixturevalue("s3")
    return f"s3://{server.bucket}/agents/{tmp_path.name}"


@pytest.fixture
def store(address: str) -> ArtifactStore:
    return opened_store(address)


@pytest.mark.parametrize("size", [0, 3, PART, LARGE])
def test_bytes_of_any_length_come_back(store: ArtifactStore, size: int) -> None:
    content = bytes(251) * (size // 251) + b"x" * (size % 251)
    pieces = (content[at : at + 1_000_003] for at in range(0, size, 1_000_003))
    store.put(KEY, pieces, media_type="text/plain")
    assert b"".join(store.get(KEY)) == content


@pytest.mark.parametrize("before", [3, LARGE])
def test_of_what_fails_half_way_nothing_is_kept(
    store: ArtifactStore, s3: S3Server, before: int
) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(0, before, PART):
            yield b"x" * min(before, PART)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        store.put(KEY, pieces(), media_type="text/plain")
    with pytest.raises(ArtifactMissing):
        list(store.get(KEY))
    assert b"<UploadId>" not in s3.asked("GET", "?uploads")


def test_an_artifact_that_is_gone_is_missing(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactMissing, match=re.escape(f"has no artifact {KEY}")):
        list(store.get(KEY))


async def test_a_result_of_three_mebibytes_goes_by_reference(address: str) -> None:
    agent = Agent("a", artifacts=address)

    @agent.task("write")
    async def write(task: Task) -> Any:
        return await task.store(b"x" * LARGE, name="xs.txt")

    @agent.task("read")
    async def read(task: Task) -> Any:
        return len(await task.fetch(task.data["xs"]))

    written = await run_task(agent, {"task_type": "write"})
    assert written.result["uri"].startswith(f"{address}/")
    ran = await run_task(agent, {"task_type": "read", "xs": written.result})
    assert ran.result == LARGE


def test_a_bucket_is_told_the_media_type(s3: S3Server, tmp_path: Path) -> None:
    store = BucketStore(s3.bucket, tmp_path.name)
    store.put(KEY, iter([b"x"]), media_type="text/csv")
    assert s3.media_type(f"{tmp_path.name}/{KEY}") == "text/csv"


def test_a_bucket_that_there_is_not_is_for_the_operator(s3: S3Server) -> None:
    store = BucketStore("no-such-bucket", "")
    with pytest.raises(ArtifactStoreRefused, match="s3://no-such-bucket: there is no such bucket"):
        store.put(KEY, iter([b"x"]), media_type="text/plain")
    with pytest.raises(ArtifactStoreRefused, match="s3://no-such-bucket: there is no such bucket"):
        list(store.get(KEY))


async def test_wrong_credentials_are_for_the_operator_and_no_token_comes_into_the_ledger(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent("a", artifacts="s3://bucket")

    @agent.default
    async def store(task: Task) -> Any:
        return await task.store(b"x")

    with server_that_refuses("SignatureDoesNotMatch", "x-amz-security-token:a token") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        error = (await run_task(agent)).error
    assert error.type == "ArtifactStoreRefused"
    assert (
        "s3://bucket refuses the credentials of this agent (AWS_ACCESS_KEY_ID,"
        " AWS_SECRET_ACCESS_KEY): SignatureDoesNotMatch: "
    ) in error.message
    assert "a token" not in f"{error.message}{error.traceback}"


@pytest.mark.parametrize(
    ("code", "status", "sentence"),
    [
        ("AuthorizationHeaderMalformed", 400, "set AWS_REGION to the bucket's own"),
        ("PermanentRedirect", 301, "set AWS_REGION to the bucket's own"),
        ("ExpiredToken", 400, "give it a new one in AWS_SESSION_TOKEN"),
        ("ExpiredToken", 403, "give it a new one in AWS_SESSION_TOKEN"),
        ("InvalidToken", 400, "give it a new one in AWS_SESSION_TOKEN"),
        ("InvalidBucketName", 400, "correct COORDINATOR_ARTIFACTS"),
        ("RequestTimeTooSkewed", 403, "set the clock"),
    ],
)
def test_what_only_the_operator_can_put_right_is_told_so(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, code: str, status: int, sentence: str
) -> None:
    with server_that_refuses(code, "a token", status=status) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        store = BucketStore("bucket", "")
        with pytest.raises(ArtifactStoreRefused, match=sentence) as stored:
            store.put(KEY, iter([b"x"]), media_type="text/plain")
        with pytest.raises(ArtifactStoreRefused, match=sentence) as fetched:
            list(store.get(KEY))
    assert "a token" not in f"{stored.value}{fetched.value}"


@pytest.mark.parametrize("size", [1, LARGE])
async def test_a_bucket_that_hangs_holds_up_neither_the_loop_nor_the_end_of_the_attempt(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    agent = Agent("a", artifacts="s3://bucket")

    @agent.default
    async def store(task: Task) -> Any:
        return await task.store(b"x" * size)

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        ran = await run_task(agent, timeout=timedelta(seconds=0.2))
    assert ran.error.type == "Timeout"


def test_a_server_that_is_away_may_come_back(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    store = BucketStore("bucket", "")
    with pytest.raises(ArtifactStoreUnavailable, match="s3://bucket: ") as away:
        store.put(KEY, iter([b"x"]), media_type="text/plain")
    assert "a secret" not in away.value.message


def test_a_secret_may_be_in_a_file_and_not_in_both(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("a secret\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(file))
    with pytest.raises(OperatorError, match="are both set: unset one of them"):
        BucketStore(s3.bucket, "")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    BucketStore(s3.bucket, "f").put(KEY, iter([b"x"]), media_type="a/b")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("AWS_SECRET_ACCESS_KEY", "", "Missing SecretAccessKey"),
        ("AWS_SKIP_SIGNATURE", "maybe", 'failed to parse "maybe" as boolean'),
    ],
)
def test_variables_that_contradict_each_other_are_told_when_the_agent_starts(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    if not value:
        monkeypatch.delenv(variable)
    agent = Agent("a", artifacts=f"s3://{s3.bucket}")
    with pytest.raises(OperatorError, match=f"the variables AWS_. do not do: .*{sentence}"):
        agent.options.artifact_store()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL", "ftp://s3.example.com"),
        ("AWS_ENDPOINT_URL", "http://id:secret@s3.example.com"),
        ("AWS_ENDPOINT_URL_S3", "ftp://s3.example.com"),
        ("AWS_REGION", "eu/central"),
        ("AWS_DEFAULT_REGION", "https://eu-central-1"),
    ],
)
def test_a_place_that_cannot_be_is_told_when_the_agent_starts(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(OperatorError, match=f"^{variable} must be the .*, such as ") as refused:
        opened_store(f"s3://{s3.bucket}")
    assert "secret" not in refused.value.message


async def test_another_agent_fetches_what_a_task_refers_to_and_the_service_keeps_it_as_json(
    broker: Broker, tmp_path: Path
) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    async with serving(broker, tmp_path) as service:
        writer = service.agent("writer", artifacts=folder.as_uri())
        reader = service.agent("reader", artifacts=folder.as_uri())

        @writer.task("write")
        def write(task: Task) -> Any:
            return {"pages": task.store(b"x" * LARGE, name="pages.txt")}

        @reader.task("read")
        async def read(task: Task) -> Any:
            return len(await task.fetch(task.data["pages"]))

        async with writer.running() as one, reader.running() as other:
            await one.registered()
            await other.registered()
            written = await service.submit(task_data={"task_type": "write"})
            result = (await service.ends(written))["result"]
            assert set(result["pages"]) == {"uri", "size", "sha256", "media_type", "name"}
            follow_up = await service.submit(task_data={"task_type": "read", **result})
            assert (await service.ends(follow_up))["result"] == LARGE

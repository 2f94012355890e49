"""Both clients over httpx: where the key goes, what is shown of it, and that they are alike for users."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import coordinator.client as package
from coordinator.client import (
    ONCE,
    AnswerLost,
    AsyncClient,
    AsyncTaskHandle,
    Client,
    Misconfigured,
    NotACoordinator,
    NotAllAccepted,
    NotSent,
    TaskEnded,
    TaskHandle,
    Tls,
)
from coordinator.client.calls import task_calls
from coordinator.client.drivers import connection_options
from coordinator.client.drivers.blocking_driver import BlockingDriver
from coordinator.client.drivers.client_options import ClientOptions, checked_url
from coordinator.client.drivers.presented_key import presented_key
from coordinator.client.exchange.programs import Circumstances, asked

KEY = "ackey_0123456789"
ENDED = {"task_id": "t", "state": "completed", "result": 7}


class Api:
    """Answers a few paths, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        if path.endswith("/tasks/submit"):
            return httpx.Response(200, json={"task_id": "t"})
        if path.endswith("/batch"):
            count = len(json.loads(request.content)["tasks"])
            verdicts = [{"index": n, "status": "accepted", "task_id": "t"} for n in range(count)]
            return httpx.Response(200, json={"results": verdicts})
        if path.endswith("/stream"):
            end = {"reason": "task-ended", "task": ENDED}
            text = f"id: 1\n\nevent: stream.end\nid: end\ndata: {json.dumps(end)}\n\n"
            return httpx.Response(200, text=text)
        if path.endswith("/events"):
            return httpx.Response(200, text="id: 1\n\n")
        if path.endswith("/agents"):
            cursor = None if "cursor" in request.url.params else "next"
            agents = [{"agent_id": cursor or "last", "agent_type": "worker", "status": "active"}]
            return httpx.Response(200, json={"agents": agents, "next_cursor": cursor})
        return httpx.Response(200, json={"task": ENDED})


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COORDINATOR_KEY", raising=False)
    monkeypatch.delenv("COORDINATOR_KEY_FILE", raising=False)


def client(api: Callable[[httpx.Request], httpx.Response], **options: Any) -> Client:
    return Client("http://test", transport=httpx.MockTransport(api), **options)


def test_a_task_is_submitted_waited_for_streamed_and_found_by_id() -> None:
    with client(Api()) as calls:
        handle = calls.submit({"task_type": "count"}, priority="high")
        assert handle.result(timeout=5) == 7
        assert handle.task().result == 7
        (end,) = handle.stream()
        assert isinstance(end, TaskEnded)
        handles = calls.submit_many([{}, {}])
        assert [one.task_id for one in calls.wait_all(handles)] == ["t", "t"]
        assert list(calls.as_completed(handles)) == handles
        assert calls.handle("t").wait().state == "completed"
        assert [one.agent_id for one in calls.each_agent(status="active")] == ["next", "last"]


async def test_the_asynchronous_client_does_the_same() -> None:
    transport = httpx.MockTransport(Api())
    async with AsyncClient("http://test", transport=transport) as calls:
        handle = await calls.submit({"task_type": "count"}, priority="high")
        assert await handle.result(timeout=5) == 7
        assert (await handle.task()).result == 7
        (end,) = [item async for item in handle.stream()]
        assert isinstance(end, TaskEnded)
        handles = await calls.submit_many([{}, {}])
        assert [one.task_id for one in await calls.wait_all(handles)] == ["t", "t"]
        assert [one async for one in calls.as_completed(handles)] == handles
        assert (await calls.handle("t").wait()).state == "completed"
        assert [one.agent_id async for one in calls.each_agent()] == ["next", "last"]


@pytest.mark.parametrize(("one", "other"), [(Client, AsyncClient), (TaskHandle, AsyncTaskHandle)])
def test_both_have_the_same_methods_with_the_same_parameters(one: type, other: type) -> None:
    def public(kind: type) -> dict[str, Any]:
        found = {name: value for name, value in vars(kind).items() if not name.startswith("_")}
        return {
            name: [*inspect.signature(value).parameters] if callable(value) else value.__doc__
            for name, value in found.items()
        }

    assert public(one) == public(other)
    assert all(inspect.getdoc(value) for value in public(one))


def test_a_method_of_one_call_has_its_signature_and_its_words() -> None:
    with client(Api()) as calls:
        assert [*inspect.signature(calls.cancel).parameters] == ["task_id", "reason"]
        assert inspect.signature(calls.cancel).return_annotation == "Cancelled"
        assert (calls.cancel.__doc__ or "").startswith("End a task")
        assert (Client.cancel.__doc__ or "").startswith("End a task")


def test_what_is_exported_is_listed_once() -> None:
    assert len(package.__all__) == len(set(package.__all__))
    assert all(hasattr(package, name) for name in package.__all__)


def test_an_address_with_a_path_is_before_every_path() -> None:
    api = Api()
    with Client("http://test/fleet/", transport=httpx.MockTransport(api)) as calls:
        calls.task("a b")
    assert str(api.requests[0].url) == "http://test/fleet/tasks/a%20b"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost:9001", "http://localhost:9001"),
        ("https://x/", "https://x"),
        ("http://[::1]:9001", "http://[::1]:9001"),
        (" http://x/a/b ", "http://x/a/b"),
    ],
)
def test_an_address_may_be_short(given: str, url: str) -> None:
    assert checked_url(given) == url


@pytest.mark.parametrize(
    "url",
    ["", " ", "ftp://x", "http://", "http://x:0", "http://x:99999", "http://x?a=1", "http://x/a b"],
)
def test_what_is_no_address_is_refused_when_the_client_is_made(url: str) -> None:
    with pytest.raises(Misconfigured):
        Client(url)


def test_an_address_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(Misconfigured) as raised:
        Client("http://me:sesame@x")
    assert "sesame" not in str(raised.value)


def test_the_key_is_given_or_of_the_environment_or_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    assert presented_key(KEY, {}) == KEY
    assert presented_key(None, {}) is None
    assert presented_key(None, {"COORDINATOR_KEY": f"'{KEY}'"}) == KEY
    assert presented_key(None, {"COORDINATOR_KEY_FILE": str(file)}) == KEY
    assert presented_key(None, {"COORDINATOR_KEY": "", "COORDINATOR_KEY_FILE": str(file)}) == KEY
    assert presented_key("", {"COORDINATOR_KEY": KEY}) is None


@pytest.mark.parametrize("key", ["a b", "a\nX-Evil: 1", "schlüssel", "\x00"])
def test_what_is_no_key_is_refused_and_not_shown(key: str, tmp_path: Path) -> None:
    for given, environment in [(key, {}), (None, {"COORDINATOR_KEY": key})]:
        with pytest.raises(Misconfigured) as raised:
            presented_key(given, environment)
        assert key not in str(raised.value)


def test_a_file_without_a_key_is_told_by_its_name(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    for path in (empty, binary, tmp_path / "none"):
        with pytest.raises(Misconfigured, match=path.name):
            presented_key(None, {"COORDINATOR_KEY_FILE": str(path)})
    with pytest.raises(Misconfigured, match="both set"):
        presented_key(None, {"COORDINATOR_KEY_FILE": str(empty), "COORDINATOR_KEY": KEY})


def test_the_key_is_sent_with_each_request_and_shown_nowhere(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("COORDINATOR_KEY", KEY)
    api = Api()
    with client(api) as calls:
        handle = calls.submit({})
        list(handle.stream())
        shown = [repr(calls), repr(handle), repr(calls._options)]
    assert {one.headers["Authorization"] for one in api.requests} == {f"Bearer {KEY}"}
    assert KEY not in "".join(shown)
    assert KEY not in caplog.text
    assert KEY not in repr(ClientOptions(base_url="http://x", key=KEY))


def test_a_redirect_to_another_host_is_not_followed() -> None:
    asked: list[str] = []

    def elsewhere(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"Location": "http://other.test/tasks/t"})

    with client(elsewhere, key=KEY) as calls:
        for ask in (lambda: calls.task("t"), lambda: list(calls.stream("t"))):
            with pytest.raises(NotACoordinator, match="a redirect"):
                ask()
    assert asked == ["test", "test"]


def test_neither_a_proxy_nor_credentials_are_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:1")
    options = connection_options.connection_options(ClientOptions(base_url="http://x"))
    assert (options["trust_env"], options["follow_redirects"]) == (False, False)


def test_what_httpx_raises_is_told_by_whether_the_request_was_sent() -> None:
    def refuses(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    def breaks_off(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    with client(refuses, retries=ONCE) as calls, pytest.raises(NotSent, match="http://test"):
        calls.task("t")
    with client(breaks_off, retries=ONCE) as calls, pytest.raises(AnswerLost, match="late"):
        calls.task("t")


def test_an_answer_without_an_end_is_refused() -> None:
    long = httpx.Response(200, content=b"x" * 200)
    driver = BlockingDriver(
        ClientOptions(base_url="http://test", largest_answer=100),
        httpx.MockTransport(lambda _: long),
    )
    with pytest.raises(NotACoordinator, match="too large"):
        driver.run(asked(task_calls.task("t"), Circumstances()))
    driver.close()


def test_of_many_that_were_refused_in_part_the_others_have_handles() -> None:
    error = {"status_code": 422, "detail": "no such priority"}
    verdicts = [
        {"index": 0, "status": "accepted", "task_id": "a"},
        {"index": 1, "status": "rejected", "error": error},
    ]
    answer = httpx.Response(200, json={"results": verdicts})
    told = r"1 of 2 tasks .* task 1: .*422"
    with client(lambda _: answer) as calls, pytest.raises(NotAllAccepted, match=told) as raised:
        calls.submit_many([{}, {}])
    first, second = raised.value.handles
    assert (first.task_id, second) == ("a", None)
    assert [*raised.value.errors] == [1]


def test_tls_files_that_cannot_be_used_are_told_when_the_client_is_made(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="TLS files"):
        Client("https://x", tls=Tls(ca_file=tmp_path / "none.pem"))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_cas_of_the_environment_that_cannot_be_read_are_told_when_the_client_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    cas = tmp_path / "cas.pem"
    if content is not None:
        cas.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(cas))
    with pytest.raises(Misconfigured, match="The CAs that SSL_CERT_FILE names cannot be read"):
        Client("https://coordinator.test")
    Client("http://coordinator.test").close()

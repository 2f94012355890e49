"""The chat client, against a small server of this test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from consumers.examples.inference.chat import (
    ChatEndpoint,
    ChatRefused,
    ChatUnavailable,
    NotConfigured,
)

ANSWER = {
    "model": "small-1",
    "choices": [{"message": {"content": "Forty-two."}, "finish_reason": "stop"}],
    "usage": {"total_tokens": 9},
}


class Seen:
    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []


@contextmanager
def endpoint(
    status: int = 200, body: object = ANSWER, headers: dict[str, str] | None = None
) -> Iterator[tuple[str, Seen]]:
    """A server that gives one answer to everything."""
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            seen.paths.append(self.path)
            seen.bodies.append(json.loads(self.rfile.read(size)))
            seen.keys.append(self.headers.get("Authorization"))
            sent = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PROMPT = [{"role": "user", "content": "What is it?"}]


def test_a_prompt_is_completed_with_its_model_and_parameters() -> None:
    with endpoint() as (url, seen):
        chat = ChatEndpoint(base_url=url, api_key="key-1", model="default-1")
        found = chat.complete(PROMPT, model="small-1", parameters={"temperature": 0.1})

    assert found == {
        "text": "Forty-two.",
        "finish_reason": "stop",
        "model": "small-1",
        "usage": {"total_tokens": 9},
    }
    assert seen.paths == ["/v1/chat/completions"]
    assert seen.keys == ["Bearer key-1"]
    assert seen.bodies == [
        {"temperature": 0.1, "model": "small-1", "messages": PROMPT, "stream": False}
    ]


def test_the_environment_names_the_endpoint_and_the_model() -> None:
    with endpoint() as (url, seen):
        chat = ChatEndpoint.from_environment({"OPENAI_BASE_URL": url, "OPENAI_MODEL": "default-1"})
        chat.complete(PROMPT)

    assert seen.bodies[0]["model"] == "default-1"
    assert seen.keys == [None]


def test_without_an_endpoint_the_error_says_what_to_set() -> None:
    with pytest.raises(NotConfigured, match="OPENAI_BASE_URL"):
        ChatEndpoint.from_environment({})


def test_a_model_must_be_named_somewhere() -> None:
    with pytest.raises(ChatRefused, match="OPENAI_MODEL"):
        ChatEndpoint(base_url="http://localhost/v1").complete(PROMPT)


def test_an_endpoint_that_is_no_http_url_is_refused() -> None:
    with pytest.raises(ChatRefused, match="http://"):
        ChatEndpoint.from_environment({"OPENAI_BASE_URL": "file:///etc"})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_endpoint_is_worth_another_try_after_the_time_that_it_names(status: int) -> None:
    error = {"error": {"message": "slow down"}}
    with endpoint(status, error, {"Retry-After": "7"}) as (url, _):
        chat = ChatEndpoint(base_url=url, model="m")
        with pytest.raises(ChatUnavailable, match=f"{status}: slow down") as caught:
            chat.complete(PROMPT)

    assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_final(status: int) -> None:
    with (
        endpoint(status, {"error": "no such model"}) as (url, _),
        pytest.raises(ChatRefused, match=f"{status}: no such model"),
    ):
        ChatEndpoint(base_url=url, model="m").complete(PROMPT)


def test_an_endpoint_that_is_away_is_worth_another_try() -> None:
    with endpoint() as (url, _):
        pass

    with pytest.raises(ChatUnavailable, match="does not answer"):
        ChatEndpoint(base_url=url, model="m").complete(PROMPT)


@pytest.mark.parametrize("body", ["<html>", {"choices": []}, {"hello": 1}, "[]"])
def test_an_answer_that_is_no_completion_is_shown(body: object) -> None:
    with (
        endpoint(body=body) as (url, _),
        pytest.raises(ChatRefused, match="not a chat completion"),
    ):
        ChatEndpoint(base_url=url, model="m").complete(PROMPT)

"""The chat client, against a small server of this test's own."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.examples.inference.chat_endpoint import (
    ChatEndpoint,
    ChatRefused,
    ChatUnavailable,
    NotConfigured,
)
from consumers.examples.inference.event_stream import data_of_events
from tests.support.chat_endpoint import Seen, dripping, endpoint

STREAMED = {"Content-Type": "text/event-stream; charset=utf-8"}
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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_the_key_goes_to_nobody_else(status: int) -> None:
    with (
        endpoint() as (elsewhere, seen),
        endpoint(status, "", {"Location": elsewhere}) as (url, _),
        pytest.raises(ChatRefused, match=f"answered {status}"),
    ):
        ChatEndpoint(base_url=url, api_key="key-1", model="m").complete(PROMPT)
    assert (seen.paths, seen.keys) == ([], [])


def test_an_answer_that_does_not_end_is_given_up() -> None:
    with (
        endpoint(body=" " * 1001) as (url, _),
        pytest.raises(ChatRefused, match="more than 1000 bytes"),
    ):
        ChatEndpoint(base_url=url, model="m", largest_answer=1000).complete(PROMPT)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (HEAD, b"X-Another: one\r\n"),
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEAD + b"\r\n", b" "),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 1000000\r\n\r\n", b" "),
    ],
    ids=["status", "header", "headers", "sized", "chunked", "until it closes", "error"],
)
def test_an_endpoint_that_never_ends_its_answer_is_given_up(beginning: bytes, drop: bytes) -> None:
    """Each byte comes in time: only the whole takes too long."""
    with dripping(beginning, drop, every=0.01) as url, pytest.raises(ChatUnavailable) as caught:
        ChatEndpoint(base_url=url, model="m").complete(
            PROMPT, timeout=timedelta(seconds=30), whole_timeout=timedelta(seconds=0.3)
        )
    told = str(caught.value)
    assert "took more than 0.3 s" in told or "answered 500" in told


@pytest.mark.parametrize(
    "beginning", [b"", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"], ids=["all", "headers", "body"]
)
def test_an_endpoint_that_falls_silent_is_given_up_long_before(beginning: bytes) -> None:
    with (
        dripping(beginning, b"", every=30) as url,
        pytest.raises(ChatUnavailable, match="does not answer: timed out"),
    ):
        ChatEndpoint(base_url=url, model="m").complete(
            PROMPT, timeout=timedelta(seconds=0.1), whole_timeout=timedelta(hours=1)
        )


@pytest.mark.parametrize("after", ["9" * 400, "9" * 5000, "\N{SUPERSCRIPT TWO}", "-1", "soon"])
def test_a_time_that_is_none_is_not_waited_for(after: str) -> None:
    with (
        endpoint(503, "busy", {"Retry-After": after}) as (url, _),
        pytest.raises(ChatUnavailable, match="503: busy") as caught,
    ):
        ChatEndpoint(base_url=url, model="m").complete(PROMPT)
    assert caught.value.retry_after is None


@pytest.mark.parametrize("url", ["http://ada:hunter2@127.0.0.1:9/v1", "ftp://ada:hunter2@host"])
def test_no_password_of_the_address_is_told_in_an_error(url: str) -> None:
    with pytest.raises((ChatRefused, ChatUnavailable)) as caught:
        ChatEndpoint.from_environment({"OPENAI_BASE_URL": url, "OPENAI_MODEL": "m"}).complete(
            PROMPT
        )
    assert "hunter2" not in str(caught.value)


def piece(text: str | None = None, **more: Any) -> str:
    choice = {"delta": {} if text is None else {"content": text}, **more}
    return f"data: {json.dumps({'model': 'small-1', 'choices': [choice]})}\n\n"


USAGE = 'data: {"choices": [], "usage": {"total_tokens": 9}}\r\n\r\n'
DONE = "data: [DONE]\n\n"


def streamed(body: str, **options: Any) -> tuple[dict[str, Any], list[str], Seen]:
    """The answer, what was told of it, and what the endpoint has seen."""
    told: list[str] = []
    with endpoint(body=body, headers=STREAMED) as (url, seen):
        chat = ChatEndpoint(base_url=url, api_key="key-1", model="m", **options)
        return chat.stream(PROMPT, on_text=told.append), told, seen


def test_an_answer_is_told_bit_by_bit_and_is_the_same_in_the_end() -> None:
    body = ": hello\n\n" + piece("", role="assistant") + piece("Forty-") + piece("two.")
    found, told, seen = streamed(body + piece(finish_reason="stop") + USAGE + DONE)
    assert told == ["Forty-", "two."]
    assert found == {
        "text": "Forty-two.",
        "finish_reason": "stop",
        "model": "small-1",
        "usage": {"total_tokens": 9},
    }
    [asked] = seen.bodies
    assert (asked["stream"], asked["stream_options"]) == (True, {"include_usage": True})


def test_an_error_that_is_null_is_none() -> None:
    said = json.loads(piece("Yes.", finish_reason="stop").removeprefix("data: ")) | {"error": None}
    assert streamed(f"data: {json.dumps(said)}\n\n" + DONE)[1] == ["Yes."]


def test_an_endpoint_that_does_not_stream_answers_at_once() -> None:
    told: list[str] = []
    with endpoint() as (url, _):
        found = ChatEndpoint(base_url=url, model="m").stream(PROMPT, on_text=told.append)
    assert (found["text"], told) == ("Forty-two.", ["Forty-two."])


@pytest.mark.parametrize("cut", ["", 'data: {"choices"', "data: [DONE]"])
def test_an_answer_that_ends_in_the_middle_is_worth_another_try(cut: str) -> None:
    with pytest.raises(ChatUnavailable, match="ended in the middle"):
        streamed(piece("Forty-") + cut)


def test_a_last_word_without_a_mark_behind_it_will_do() -> None:
    assert streamed(piece("Yes.", finish_reason="stop"))[0]["text"] == "Yes."


@pytest.mark.parametrize(
    "wrong",
    [
        "data: <html>\n\n",
        "data: []\n\n",
        "data: 5\n\n",
        'data: {"choices": [{}]}\n\n',
        'data: {"choices": [{"delta": {"content": 5}}]}\n\n',
        'data: {"error": {"message": "not a piece of luck"}}\n\n',
    ],
)
def test_a_piece_that_is_none_of_a_completion_is_shown(wrong: str) -> None:
    with pytest.raises(ChatRefused, match="not a piece of"):
        streamed(piece("Forty-") + wrong + DONE)


@pytest.mark.parametrize("body", [" " * 1001, piece("x") * 100, "data: " + "x" * 1000])
def test_a_stream_that_does_not_end_is_given_up(body: str) -> None:
    with pytest.raises(ChatRefused, match="more than 1000 bytes"):
        streamed(body, largest_answer=1000)


@pytest.mark.parametrize("status", [301, 307])
def test_no_redirect_of_a_stream_is_followed(status: int) -> None:
    with (
        endpoint() as (elsewhere, seen),
        endpoint(status, "", {"Location": elsewhere}) as (url, _),
        pytest.raises(ChatRefused, match=f"answered {status}"),
    ):
        ChatEndpoint(base_url=url, api_key="key-1", model="m").stream(PROMPT, on_text=print)
    assert (seen.paths, seen.keys) == ([], [])


@given(
    texts=st.lists(st.lists(st.text(alphabet="ab: \r", max_size=5), min_size=1, max_size=3)),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_events_are_read_as_they_were_written(texts: list[list[str]], ending: str) -> None:
    lines = [[line.rstrip("\r") for line in text] for text in texts]
    written = "".join(
        "".join(f"data: {line}{ending}" for line in text) + f"id: 1{ending}{ending}"
        for text in lines
    )
    read = list(data_of_events(io.BytesIO(written.encode()), most=10_000))
    assert read == ["\n".join(text) for text in lines]

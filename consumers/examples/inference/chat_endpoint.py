"""Calls any endpoint that speaks the OpenAI chat protocol; the standard library is enough.

It blocks; the agent calls it from a thread.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .event_stream import TooMuchSaid, data_of_events
from .http_deadline import Deadline, deadline_handlers
from .streamed_answer import NoCompletion, StreamBroken, joined_answer

__all__ = ["ChatEndpoint", "ChatError", "ChatRefused", "ChatUnavailable", "NotConfigured"]

TIMEOUT = timedelta(minutes=5)
"""How long the endpoint may be silent: an answer that is not streamed comes when the model has ended."""

WHOLE_TIMEOUT = timedelta(minutes=15)
"""How long it may take for all of its answer, however it sends it."""

LONGEST_RETRY_AFTER = 9
"""Digits of `Retry-After`, in seconds; what is longer is not looked at."""

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes: far more than any model says, and less than the agent has memory for."""

_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class ChatError(Exception):
    """Says that the endpoint gave no answer to this prompt."""


class NotConfigured(ChatError):
    """No endpoint is known: set OPENAI_BASE_URL, for example to http://localhost:11434/v1"""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class ChatRefused(ChatError):
    """Says that the endpoint refused the request; sending it again as it is would not help."""


class ChatUnavailable(ChatError):
    """Says that the endpoint cannot answer now; later it may."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """What the endpoint asked for, where it did."""


class _NoRedirect(HTTPRedirectHandler):
    """Follows none: the key is for the address that was configured, and for no other. A redirect is the
    answer then, and refused.
    """

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEndpoint:
    """Completes chats at one address, with one model."""

    base_url: str
    """With its version, such as `http://localhost:11434/v1`."""
    api_key: str | None = field(default=None, repr=False)
    model: str | None = None
    """For prompts that name none."""
    largest_answer: int = LARGEST_ANSWER
    """Bytes of an answer that are read."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ChatEndpoint:
        """Read OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL. Raises `NotConfigured`."""
        base_url = environment.get("OPENAI_BASE_URL", "").rstrip("/")
        if not base_url:
            raise NotConfigured
        if urlsplit(base_url).scheme not in {"http", "https"}:
            raise ChatRefused("OPENAI_BASE_URL must begin with http:// or https://")
        return cls(
            base_url=base_url,
            api_key=environment.get("OPENAI_API_KEY") or None,
            model=environment.get("OPENAI_MODEL") or None,
        )

    def complete(
        self,
        messages: list[dict[str, Any]],
        *,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        timeout: timedelta = TIMEOUT,
        whole_timeout: timedelta = WHOLE_TIMEOUT,
    ) -> dict[str, Any]:
        """Ask for one completion: its text, why it ended, the model and the tokens that it took. ``timeout``:
        for each read; ``whole_timeout``: for all of it.

        Raises `ChatRefused`, also for a redirect and for more than `largest_answer` bytes, or
        `ChatUnavailable`.
        """
        wanted = self._wanted(messages, model, parameters) | {"stream": False}
        deadline = Deadline(whole_timeout.total_seconds())
        with self._answered("/chat/completions", wanted, timeout, deadline) as answer:
            return _read_answer(self._all_of(answer), wanted["model"])

    def stream(
        self,
        messages: list[dict[str, Any]],
        *,
        on_text: Callable[[str], None],
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        timeout: timedelta = TIMEOUT,
        whole_timeout: timedelta = WHOLE_TIMEOUT,
    ) -> dict[str, Any]:
        """The same, with each bit of the text told to ``on_text`` as it comes, which may raise to stop. An
        endpoint that does not stream answers at once. Raises as `complete`, and what ``on_text`` raises.
        """
        asked = {"stream_options": {"include_usage": True}} | dict(parameters or {})
        wanted = self._wanted(messages, model, asked) | {"stream": True}
        deadline = Deadline(whole_timeout.total_seconds())
        with self._answered("/chat/completions", wanted, timeout, deadline) as answer:
            if answer.headers.get_content_type() != "text/event-stream":
                found = _read_answer(self._all_of(answer), wanted["model"])
                if isinstance(found["text"], str):
                    on_text(found["text"])
                return found
            pieces = data_of_events(answer, most=self.largest_answer)
            try:
                return joined_answer(pieces, wanted["model"], on_text=on_text)
            except NoCompletion as exc:
                raise ChatRefused(f"The endpoint said in its answer: {exc}") from exc
            except StreamBroken as exc:
                raise ChatUnavailable(str(exc)) from exc
            except TooMuchSaid as exc:
                raise self._too_much(answer.url) from exc

    def _wanted(
        self,
        messages: list[dict[str, Any]],
        model: str | None,
        parameters: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        chosen = model or self.model
        if chosen is None:
            raise ChatRefused("No model is named, neither in the task nor in OPENAI_MODEL")
        return dict(parameters or {}) | {"model": chosen, "messages": messages}

    @contextmanager
    def _answered(
        self, path: str, body: dict[str, Any], timeout: timedelta, deadline: Deadline
    ) -> Iterator[HTTPResponse]:
        """The answer, to be read inside: what goes wrong meanwhile is told as what it is."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if body["stream"] else "application/json",
        }
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        url = f"{self.base_url}{path}"
        request = Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - http(s) was checked
        url = _without_password(url)
        opener = build_opener(_NoRedirect, *deadline_handlers(deadline))
        try:
            with opener.open(request, timeout=timeout.total_seconds()) as answer:
                yield answer
        except HTTPError as exc:
            raise _refusal(exc, url) from exc
        except (URLError, TimeoutError, HTTPException, ConnectionError) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise ChatUnavailable(f"{url} does not answer: {reason}") from exc

    def _all_of(self, answer: HTTPResponse) -> bytes:
        content = answer.read(self.largest_answer + 1)
        if len(content) > self.largest_answer:
            raise self._too_much(answer.url)
        return content

    def _too_much(self, url: str) -> ChatRefused:
        return ChatRefused(
            f"{_without_password(url)} answered more than {self.largest_answer} bytes"
        )


def _without_password(url: str) -> str:
    """To be shown: a password may stand before the host."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _refusal(exc: HTTPError, url: str) -> ChatError:
    with exc:
        try:
            said = _error_text(exc.read(4096))
        except (HTTPException, OSError):  # it has told its status, and goes on no further
            said = ""
    message = f"{url} answered {exc.code}: {said or exc.reason}"
    if exc.code not in _RETRYABLE:
        return ChatRefused(message)
    after = exc.headers.get("Retry-After", "")
    return ChatUnavailable(
        message, retry_after=timedelta(seconds=int(after)) if _is_a_time(after) else None
    )


def _is_a_time(after: str) -> bool:
    return after.isascii() and after.isdigit() and len(after) <= LONGEST_RETRY_AFTER


def _error_text(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:300]


def _read_answer(body: bytes, model: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
        choice = answer["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as exc:
        shown = body[:200].decode(errors="replace")
        raise ChatRefused(f"The endpoint's answer is not a chat completion: {shown!r}") from exc
    return {
        "text": text,
        "finish_reason": choice.get("finish_reason"),
        "model": answer.get("model", model),
        "usage": answer.get("usage"),
    }

"""Callbacks that could never be told are refused when the task is submitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.callbacks.address_rules import AddressRules
from coordinator.callbacks.callback_checks import CallbackChecks
from coordinator.callbacks.signing_secrets import SigningSecrets
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.task_message import Callback
from tests.unit.callbacks.test_signing import KEY, written


def checks(folder: Path | None, *allowed: str, http: bool = False) -> CallbackChecks:
    if folder is not None:
        (folder / "default").write_text(written(KEY))
    return CallbackChecks(SigningSecrets(folder), AddressRules(allowed), http=http)


def test_a_public_https_url_is_taken(tmp_path: Path) -> None:
    checks(tmp_path).check(Callback(url="https://receiver.example/x"))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("http://receiver.example/", "https://"),
        ("http://8.8.8.8/", "https://"),
        ("https://user:word@receiver.example/", "signed"),
    ],
)
def test_what_the_text_tells_already_is_refused(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        checks(tmp_path).check(Callback(url=url))
    assert caught.value.field == "callback.url"
    assert "word@" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "allowed", "http"),
    [
        ("http://127.0.0.1:1/", "127.0.0.0/8", False),
        ("http://localhost:1/", "127.0.0.0/8", False),
        ("https://10.1.2.3/", "10.1.0.0/16", False),
        ("http://10.1.2.3/", "10.1.0.0/16", True),
        ("http://receiver.example/", "10.1.0.0/16", True),
    ],
)
def test_what_an_operator_allows_is_taken(
    tmp_path: Path, url: str, allowed: str, http: bool
) -> None:
    checks(tmp_path, allowed, http=http).check(Callback(url=url))


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((), "leave it out"),
        (("task.completed",), "is not one of: ended"),
        (("progress",), "stream"),
        (("ended",) * 9, "9 entries"),
    ],
)
def test_other_words_than_those_of_events_are_refused(
    tmp_path: Path, events: tuple[str, ...], why: str
) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        checks(tmp_path).check(Callback(url="https://receiver.example/", events=events))
    assert caught.value.field == "callback.events"


def test_a_secret_that_nobody_has_put_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="'other'") as caught:
        checks(tmp_path).check(Callback(url="https://receiver.example/", secret_ref="other"))
    assert caught.value.field == "callback.secret_ref"


def test_a_service_without_secrets_takes_no_callback() -> None:
    with pytest.raises(InvalidRequest, match="COORDINATOR_CALLBACK_SECRETS_DIR"):
        checks(None).check(Callback(url="https://receiver.example/"))

"""Secrets of callbacks, and what is signed with them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from coordinator.callbacks.signing_secrets import SecretMissing, SigningSecrets
from coordinator.callbacks.webhook_signature import webhook_headers

KEY, OTHER = bytes(range(32)), bytes(range(24))


def written(key: bytes) -> str:
    return f"whsec_{base64.b64encode(key).decode()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "default").write_text(f"{written(KEY)}\n")
    return tmp_path


def test_a_receiver_of_the_convention_verifies_what_was_signed() -> None:
    headers = webhook_headers("msg_1", b'{"a":1}', [KEY], now=datetime.now(UTC))
    assert Webhook(written(KEY)).verify('{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(written(OTHER)).verify('{"a":1}', headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(written(KEY)).verify('{"a":2}', headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(written(KEY)).verify('{"a":1}', headers | {"webhook-id": "msg_2"})


def test_while_two_secrets_lie_there_a_receiver_of_either_verifies() -> None:
    headers = webhook_headers("msg_1", b"{}", [KEY, OTHER], now=datetime.now(UTC))
    for key in (KEY, OTHER):
        assert Webhook(written(key)).verify("{}", headers) == {}


def test_the_signature_is_the_one_of_the_convention() -> None:
    """Made by hand with `openssl dgst -sha256 -hmac`."""
    now = datetime.fromtimestamp(1_700_000_000, UTC)
    headers = webhook_headers("msg_x", b"{}", [b"a" * 32], now=now)
    assert headers["webhook-timestamp"] == "1700000000"
    assert headers["webhook-signature"] == "v1,6ysitoL6VNpOkxS2rD4IDDZQuEodrCUcPXQqE3UcAm4="


def test_a_secret_is_read_by_its_name_each_time(folder: Path) -> None:
    secrets = SigningSecrets(folder)
    assert secrets.read("default") == (KEY,)
    (folder / "default").write_text(f"{written(OTHER)}\n{written(KEY)}\n")
    assert secrets.read("default") == (OTHER, KEY)


@pytest.mark.parametrize(
    "name", ["missing", "", "../default", "a/b", ".hidden", "x" * 65, "default\n", "a\x00b", ".."]
)
def test_a_name_that_is_no_file_of_the_folder_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "outside").write_text(written(KEY))
    with pytest.raises(SecretMissing):
        SigningSecrets(folder).read(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain words",
        "whsec_",
        "whsec_not base64!",
        written(b"short"),
        written(b"x" * 65),
        " ".join([written(KEY)] * 3),
        "x" * 5000,
    ],
)
def test_a_file_that_holds_something_else_is_refused_and_not_told(folder: Path, text: str) -> None:
    (folder / "odd").write_text(text)
    with pytest.raises(SecretMissing) as caught:
        SigningSecrets(folder).read("odd")
    assert "whsec_AAEC" not in str(caught.value)
    assert "plain" not in str(caught.value)


def test_a_folder_in_the_place_of_a_file_is_refused(folder: Path) -> None:
    (folder / "nested").mkdir()
    with pytest.raises(SecretMissing):
        SigningSecrets(folder).read("nested")


def test_without_a_folder_none_is_there() -> None:
    secrets = SigningSecrets(None)
    assert not secrets.configured
    with pytest.raises(SecretMissing, match="COORDINATOR_CALLBACK_SECRETS_DIR"):
        secrets.read("default")

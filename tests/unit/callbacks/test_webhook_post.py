"""One POST: where it goes, what it says, and what comes of receivers of all kinds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from standardwebhooks.webhooks import Webhook

from coordinator.callbacks.address_rules import Address, AddressRules
from coordinator.callbacks.checked_connections import NameUnknown, Resolves, ThreadedResolver
from coordinator.callbacks.signing_secrets import SigningSecrets
from coordinator.callbacks.webhook_post import PostRules, WebhookPost, tls_context
from coordinator.domain.callbacks.callback_delivery import CallbackDelivery
from coordinator.domain.callbacks.delivery_outcome import PostResult
from coordinator.errors import OperatorError
from tests.support.certificates import issued, trusted
from tests.support.receiver import answer, receiver
from tests.unit.callbacks.test_signing import KEY, written
from tests.unit.domain.callbacks.test_delivery_outcome import NEW

BODY = b'{"specversion":"1.0"}'
LOOPBACK = AddressRules(["127.0.0.0/8"])


class Names:
    """Answers for names; each answer is used once, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = [[ip_address(one) for one in addresses] for addresses in answers]
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not found:
            raise NameUnknown(f"The name {host} has no address now")
        return found


@pytest.fixture
def secrets(tmp_path: Path) -> SigningSecrets:
    (tmp_path / "default").write_text(written(KEY))
    return SigningSecrets(tmp_path)


def to(url: str) -> CallbackDelivery:
    return replace(NEW, url=url)


def posting(
    secrets: SigningSecrets,
    *,
    addresses: AddressRules = LOOPBACK,
    names: Resolves | None = None,
    tls: ssl.SSLContext | None = None,
    http: bool = False,
    whole: float = 20,
) -> WebhookPost:
    return WebhookPost(
        secrets,
        PostRules(addresses=addresses, http=http, whole=timedelta(seconds=whole)),
        resolve=names or Names(["127.0.0.1"]),
        tls=tls or tls_context(None),
        agent="agent-coordinator/test",
    )


async def test_a_receiver_gets_a_signed_cloud_event(secrets: SigningSecrets) -> None:
    async with receiver() as there:
        result = await posting(secrets).send(to(there.url("/hook?a=b")), BODY)
        assert result == PostResult(status=204)
        (got,) = there.received
    assert (got.method, got.target, got.body) == ("POST", "/hook?a=b", BODY)
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.headers["host"] == f"127.0.0.1:{there.port}"
    assert got.headers["user-agent"] == "agent-coordinator/test"
    assert got.webhook_id == NEW.webhook_id
    assert Webhook(written(KEY)).verify(got.body, got.headers) == {"specversion": "1.0"}


@pytest.mark.parametrize("status", [200, 301, 302, 307, 308, 400, 410, 429, 500, 503])
async def test_the_status_is_what_counts_and_no_redirect_is_followed(
    secrets: SigningSecrets, status: int
) -> None:
    async with receiver() as other, receiver() as there:
        there.answer = lambda _: answer(status, f"Location: {other.url()}", body="words")
        result = await posting(secrets).send(to(there.url()), BODY)
        assert (result.status, result.final) == (status, False)
        assert other.connections == 0


OFF_THE_CALENDAR = f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT"


async def test_an_answer_that_delivers_does_so_whatever_pause_it_names(
    secrets: SigningSecrets,
) -> None:
    async with receiver() as there:
        there.answer = lambda _: answer(200, f"Retry-After: {OFF_THE_CALENDAR}")
        assert (await posting(secrets).send(to(there.url()), BODY)).status == 200


async def test_a_pause_that_is_asked_for_is_read_as_seconds_or_as_an_instant(
    secrets: SigningSecrets,
) -> None:
    async def asked(text: str) -> timedelta | None:
        async with receiver() as there:
            there.answer = lambda _: answer(503, f"Retry-After: {text}")
            return (await posting(secrets).send(to(there.url()), BODY)).retry_after

    assert await asked("120") == timedelta(minutes=2)
    assert await asked("9" * 400) is not None
    for nonsense in ("soon", "-5", "1.5", "", "Mon, 99 Jan 2026 99:99:99 GMT", OFF_THE_CALENDAR):
        assert await asked(nonsense) is None, nonsense
    at = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    found = await asked(at)
    assert found is not None
    assert timedelta(minutes=58) < found < timedelta(minutes=61)


@pytest.mark.parametrize(
    "said",
    [
        None,
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000,
        b"SSH-2.0-server\r\n",
    ],
)
async def test_what_is_no_answer_is_a_failure_that_may_be_tried_again(
    secrets: SigningSecrets, said: bytes | None
) -> None:
    async with receiver(answer=lambda _: said) as there:
        result = await posting(secrets).send(to(there.url()), BODY)
    assert (result.status, result.final) == (None, False)
    assert result.error


async def test_nobody_listening_is_a_failure_that_may_be_tried_again(
    secrets: SigningSecrets,
) -> None:
    async with receiver() as there:
        url = there.url()
    result = await posting(secrets).send(to(url), BODY)
    assert (result.status, result.final) == (None, False)
    assert "No connection" in (result.error or "")


async def test_a_receiver_that_does_not_answer_is_given_up_in_time(
    secrets: SigningSecrets,
) -> None:
    async with receiver(hold=asyncio.Event()) as there:
        result = await posting(secrets, whole=0.3).send(to(there.url()), BODY)
    assert "did not answer within 0.3 s" in (result.error or "")


async def test_a_receiver_that_drips_its_answer_is_given_up_in_time(
    secrets: SigningSecrets,
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await posting(secrets, whole=0.3).send(to(f"http://127.0.0.1:{port}/"), BODY)
    assert "did not answer within" in (result.error or "")


async def test_an_answer_without_an_end_counts_by_its_status(secrets: SigningSecrets) -> None:
    """No more of it is read than a little."""
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        result = await posting(secrets).send(to(f"http://127.0.0.1:{port}/"), BODY)
    assert result.status == 200
    assert sent < 64 * 1024 * 1024


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://receiver.example:{port}/",
        "https://receiver.example:{port}/",
        "http://2130706433:{port}/",
        "http://127.1:{port}/",
        "http://0x7f000001:{port}/",
    ],
)
async def test_an_address_that_is_not_public_is_refused_however_it_is_written(
    secrets: SigningSecrets, url: str
) -> None:
    system = ThreadedResolver()

    async def resolve(host: str, port: int) -> Sequence[Address]:
        if host == "receiver.example":
            return [ip_address("127.0.0.1"), ip_address("10.0.0.1"), ip_address("::1")]
        return await system(host, port)

    async with receiver() as there:
        post = posting(secrets, addresses=AddressRules(), names=resolve, http=True)
        result = await post.send(to(url.format(port=there.port)), BODY)
        assert result.final
        assert "public" in (result.error or "")
        assert "10.0.0.1" not in (result.error or "")
        assert there.connections == 0
    system.close()


async def test_a_name_is_looked_up_once_and_that_address_is_connected_to(
    secrets: SigningSecrets,
) -> None:
    """One that answers with an allowed address first, and with another when it is asked again."""
    names = Names(["127.0.0.1"], ["127.0.0.99"])
    async with receiver() as there:
        url = there.url(host="changing.example")
        post = posting(secrets, names=names, addresses=AddressRules(["127.0.0.1/32"]))
        assert (await post.send(to(url), BODY)).status == 204
        assert names.asked == ["changing.example"]
        assert there.received[0].headers["host"] == f"changing.example:{there.port}"
        refused = await post.send(to(url), BODY)
        assert refused.final
        assert len(there.received) == 1


async def test_of_several_addresses_the_allowed_ones_are_tried(secrets: SigningSecrets) -> None:
    async with receiver() as there:
        names = Names(["10.0.0.1", "127.0.0.2", "127.0.0.1"])
        post = posting(secrets, names=names)
        assert (await post.send(to(there.url(host="several.example")), BODY)).status == 204


async def test_a_name_without_an_address_may_have_one_later(secrets: SigningSecrets) -> None:
    result = await posting(secrets, names=Names([])).send(to("https://none.example/"), BODY)
    assert (result.final, result.error) == (False, "The name none.example has no address now")


async def test_the_system_is_asked_for_names() -> None:
    system = ThreadedResolver()
    assert ip_address("127.0.0.1") in await system("localhost", 80)
    with pytest.raises(NameUnknown):
        await system("none.invalid", 80)
    with pytest.raises(NameUnknown):
        await system("x" * 300, 80)
    system.close()


async def test_beyond_this_machine_http_needs_to_be_allowed(secrets: SigningSecrets) -> None:
    there = AddressRules(["10.0.0.0/8"])
    post = posting(secrets, addresses=there, names=Names(["10.255.255.1"]), whole=0.2)
    result = await post.send(to("http://inner.example/"), BODY)
    assert result.final
    assert "https" in (result.error or "")


async def test_a_receiver_over_tls_is_verified_by_its_name(
    secrets: SigningSecrets, tmp_path: Path
) -> None:
    ca = trustme.CA()
    files = issued(ca, tmp_path / "tls", "receiver.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    known = tls_context(trusted(ca, tmp_path / "ca.pem"))
    async with receiver(tls=context) as there:
        for tls, host, status in (
            (known, "receiver.example", 204),
            (known, "other.example", None),
            (tls_context(None), "receiver.example", None),
        ):
            result = await posting(secrets, tls=tls).send(to(there.url(host=host)), BODY)
            assert (result.status, result.final) == (status, False), (host, result)
        assert len(there.received) == 1


async def test_proxies_of_the_environment_are_not_asked(
    secrets: SigningSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiver() as proxy, receiver() as there:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await posting(secrets).send(to(there.url()), BODY)).status == 204
        assert (proxy.connections, there.connections) == (0, 1)


@pytest.mark.parametrize("url", ["gopher://x/", "https://a b/", "https://u:p@x/"])
async def test_a_url_that_no_submission_would_have_had_is_not_tried_again(
    secrets: SigningSecrets, url: str
) -> None:
    assert (await posting(secrets).send(to(url), BODY)).final


async def test_a_secret_that_was_taken_away_may_come_back(
    secrets: SigningSecrets, tmp_path: Path
) -> None:
    (tmp_path / "default").unlink()
    async with receiver() as there:
        result = await posting(secrets).send(to(there.url()), BODY)
        assert there.connections == 0
    assert not result.final
    assert "COORDINATOR_CALLBACK_SECRETS_DIR" in (result.error or "")


def test_authorities_that_cannot_be_read_are_told_to_the_operator(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for file in ("ca.pem", "missing.pem"):
        with pytest.raises(OperatorError, match="COORDINATOR_CALLBACK_CA"):
            tls_context(tmp_path / file)

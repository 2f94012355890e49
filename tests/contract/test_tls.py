"""The API on https://: who checks whom, and certificates that are replaced while it serves."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from coordinator.client import ONCE, AsyncClient, Client, Misconfigured, NotReached, Tls
from coordinator.demo.api_client import ApiClient
from coordinator.errors import OperatorError
from coordinator.settings import Settings
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import address, bind
from coordinator.web_server.tls_files import TlsContext, TlsFiles
from tests.support.certificates import Files, issued, replace, trusted

from .fakes import Fakes, a_task

CA = trustme.CA()
OTHER_CA = trustme.CA()


def knows(ca: trustme.CA, own: Files | None = None) -> ssl.SSLContext:
    """How a client is set up that trusts ``ca``, with a certificate of its ``own``."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return issued(CA, tmp_path / "server", "127.0.0.1", "localhost")


def settings(files: Files, **more: Any) -> Settings:
    return Settings(tls_certificate=files.certificate, tls_key=files.key, **more)


@asynccontextmanager
async def https(options: ServerOptions) -> AsyncIterator[str]:
    """Its address."""
    fakes = Fakes()
    fakes.tasks["t"] = a_task()
    listener = bind("127.0.0.1", 0)
    async with serving(fakes.app(), listener, options):
        yield address(listener, tls=True)


async def asked(url: str, client: ssl.SSLContext) -> int:
    async with httpx.AsyncClient(base_url=url, verify=client, trust_env=False) as http:
        submitted = await http.post("/tasks/submit", json={"task_data": {}})
        return submitted.status_code


async def test_a_client_that_trusts_the_ca_is_served_and_another_refuses(files: Files) -> None:
    async with https(ServerOptions.of(settings(files))) as url:
        assert url.startswith("https://")
        assert await asked(url, knows(CA)) == 200
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await asked(url, knows(OTHER_CA))
        with pytest.raises(httpx.HTTPError):
            await asked(url.replace("https://", "http://"), knows(CA))


async def test_the_demo_trusts_the_cas_of_ssl_cert_file_and_names_it_where_it_does_not(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = trusted(CA, tmp_path / "ca.pem"), trusted(OTHER_CA, tmp_path / "other.pem")
    async with https(ServerOptions.of(settings(files))) as url:
        monkeypatch.setenv("SSL_CERT_FILE", str(ours))
        async with ApiClient(url) as api:
            await api.health()
        monkeypatch.setenv("SSL_CERT_FILE", str(others))
        async with ApiClient(url) as api:
            with pytest.raises(OperatorError, match=r"not trusted .* its CA in SSL_CERT_FILE"):
                await api.health()


async def test_a_certificate_of_another_name_is_refused_by_the_client(tmp_path: Path) -> None:
    other = issued(CA, tmp_path, "other.example.org")
    async with https(ServerOptions.of(settings(other))) as url:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await asked(url, knows(CA))


async def test_clients_need_a_certificate_where_a_ca_is_named_for_them(
    files: Files, tmp_path: Path
) -> None:
    given = settings(files, tls_client_ca=trusted(CA, tmp_path / "clients.pem"))
    own = issued(CA, tmp_path / "client", "producer.example.org")
    foreign = issued(OTHER_CA, tmp_path / "foreign", "producer.example.org")
    async with https(ServerOptions.of(given)) as url:
        assert await asked(url, knows(CA, own)) == 200
        for client in (knows(CA), knows(CA, foreign)):
            with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
                await asked(url, client)


async def test_the_python_client_trusts_the_ca_that_it_is_given_and_shows_its_certificate(
    files: Files, tmp_path: Path
) -> None:
    given = settings(files, tls_client_ca=trusted(CA, tmp_path / "clients.pem"))
    own = issued(CA, tmp_path / "client", "producer.example.org")
    ca_file = trusted(CA, tmp_path / "ca.pem")
    other = trusted(OTHER_CA, tmp_path / "other.pem")
    known = Tls(ca_file=ca_file, cert_file=own.certificate, key_file=own.key)
    async with https(ServerOptions.of(given)) as url:
        async with AsyncClient(url, tls=known) as client:
            assert (await client.task("t")).task_id
        with Client(url, tls=known) as blocking:
            assert (await asyncio.to_thread(blocking.task, "t")).task_id
        async with AsyncClient(url, tls=Tls(ca_file=other)) as distrustful:
            with pytest.raises(Misconfigured, match="is not trusted"):
                await distrustful.task("t")
        async with AsyncClient(url, tls=Tls(ca_file=ca_file), retries=ONCE) as nobody:
            with pytest.raises(NotReached):
                await nobody.task("t")


async def test_an_old_tls_is_not_spoken(files: Files) -> None:
    old = knows(CA)
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with https(ServerOptions.of(settings(files))) as url:
        with pytest.raises(httpx.ConnectError):
            await asked(url, old)


async def test_replaced_files_are_used_without_a_restart_and_half_replaced_ones_are_not(
    files: Files, tmp_path: Path
) -> None:
    tls = TlsContext(TlsFiles(certificate=files.certificate, key=files.key))
    keeping = asyncio.create_task(tls.keep(between_looks=0.01))
    new = issued(OTHER_CA, tmp_path / "new", "127.0.0.1")
    async with https(ServerOptions(tls=tls)) as url:
        assert await asked(url, knows(CA)) == 200
        certificate = files.certificate.read_bytes()
        files.certificate.write_bytes(new.certificate.read_bytes())  # its key has not come yet
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert await asked(url, knows(CA)) == 200, "goes on with what was there"
        files.certificate.write_bytes(certificate)
        replace(files, new)
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    assert await asked(url, knows(OTHER_CA)) == 200
                    break
        with pytest.raises(httpx.ConnectError):
            await asked(url, knows(CA))
    keeping.cancel()


async def test_a_handshake_that_does_not_come_is_not_waited_for(files: Files) -> None:
    options = ServerOptions.of(settings(files))
    short = ServerOptions(
        tls=options.tls, bounds=type(options.bounds)(head_seconds=0.2, connections=10)
    )
    async with https(short) as url:
        parts = httpx.URL(url)
        reader, writer = await asyncio.open_connection(parts.host, parts.port)
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(20):
                assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("wrong", ["missing", "no PEM", "another's key", "with a passphrase"])
def test_files_that_cannot_be_used_are_told_in_one_line(
    files: Files, tmp_path: Path, wrong: str
) -> None:
    if wrong == "missing":
        files.key.unlink()
    elif wrong == "no PEM":
        files.certificate.write_text("nothing\n")
    elif wrong == "another's key":
        files.key.write_bytes(issued(CA, tmp_path / "other", "localhost").key.read_bytes())
    else:
        from cryptography.hazmat.primitives import serialization as pem

        key = pem.load_pem_private_key(files.key.read_bytes(), None)
        locked = pem.BestAvailableEncryption(b"passphrase")
        form = pem.PrivateFormat.PKCS8
        files.key.write_bytes(key.private_bytes(pem.Encoding.PEM, form, locked))
    with pytest.raises(OperatorError, match=r"COORDINATOR_TLS_CERTIFICATE .* COORDINATOR_TLS_KEY"):
        ServerOptions.of(settings(files))


def test_a_certificate_and_its_key_are_set_together(files: Files) -> None:
    with pytest.raises(ValueError, match="COORDINATOR_TLS_CERTIFICATE and COORDINATOR_TLS_KEY"):
        Settings(tls_certificate=files.certificate)
    with pytest.raises(ValueError, match="COORDINATOR_TLS_CLIENT_CA needs"):
        Settings(tls_client_ca=files.certificate)


async def scheme_and_client(options: ServerOptions, headers: dict[str, str]) -> tuple[str, str]:
    """What the application is told of a request on the real server, with these headers."""
    seen: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["scheme"], scope["client"][0]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    listener = bind("127.0.0.1", 0)
    async with (
        serving(app, listener, options),
        httpx.AsyncClient(base_url=address(listener), trust_env=False) as http,
    ):
        await http.get("/", headers=headers)
    return seen[0]


@pytest.mark.parametrize(
    ("trusted_proxies", "believed"),
    [((), False), (("127.0.0.1/32",), True), (("10.0.0.0/8",), False)],
)
async def test_a_proxy_is_believed_where_it_was_named(
    trusted_proxies: tuple[str, ...], believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    told = await scheme_and_client(ServerOptions(trusted_proxies=trusted_proxies), headers)
    assert told == (("https", "192.0.2.7") if believed else ("http", "127.0.0.1"))

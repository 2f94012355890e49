"""Calls the HTTP API for the demo; each error is one line."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from coordinator.errors import OperatorError
from coordinator.protocol.requirements import Profile

from .demo_tasks import Order

__all__ = ["ApiClient"]

SERVICE = "agent-coordinator"
_WORKING = frozenset({"active", "busy"})


class ApiClient:
    """Talks to one coordinator; every failure is an `OperatorError` with a sentence, a wrong address as
    soon as it is made.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``key`` is an API key or a JWT, for a service that asks for one."""
        self._base_url = _checked(base_url)
        # A proxy from the environment would be asked for this machine's own loopback address.
        self._http = httpx.AsyncClient(
            base_url=self._base_url,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=30.0,
            trust_env=False,
            verify=_trusted(self._base_url),
            transport=transport,
        )
        self._has_key = key is not None

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, exc, trace)

    async def health(self) -> None:
        """Make sure that this is a coordinator."""
        found = await self._answer("GET", "/health")
        self._check_allowed(found, "GET", "/health")
        if self._json(found).get("service") != SERVICE:
            raise self._foreign()

    async def agents(self) -> list[Profile]:
        """Those that take work now, from the broker: one that speaks HTTP alone takes none."""
        found = await self._ask("POST", "/agents/discover", {})
        return [
            Profile(
                agent_id=agent["agent_id"],
                agent_type=agent["agent_type"],
                capabilities=frozenset(agent["capabilities"]),
                services=frozenset(agent["services"]),
                task_types=frozenset(agent["task_types"]) if agent.get("task_types") else None,
            )
            for agent in found["agents"]
            if agent["status"] in _WORKING and agent.get("listening", True)
        ]

    async def submit(self, order: Order) -> str:
        """The id of the accepted task."""
        accepted = await self._ask(
            "POST",
            "/tasks/submit",
            {
                "task_data": dict(order.work.task_data),
                "priority": str(order.priority),
                "requirements": order.work.requirements.as_dict(),
            },
        )
        return str(accepted["task_id"])

    async def task(self, task_id: str) -> dict[str, Any]:
        """The task as `GET /tasks/{task_id}` tells it."""
        found = await self._ask("GET", f"/tasks/{task_id}")
        task: dict[str, Any] = found["task"]
        return task

    async def stream(self, task_id: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The name and the data of each thing that the stream of the task tells, up to its end."""
        path, name = f"/tasks/{task_id}/stream", ""
        try:
            async with self._http.stream("GET", path) as answer:
                self._check_allowed(answer, "GET", path)
                if answer.status_code != httpx.codes.OK:
                    raise OperatorError(f"GET {path} answered {answer.status_code}")
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line.removeprefix("event: ")
                    elif line.startswith("data: "):
                        yield name, json.loads(line.removeprefix("data: "))
        except httpx.HTTPError as exc:
            raise self._silent(exc) from exc

    async def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = await self._answer(method, path, body)
        self._check_allowed(response, method, path)
        answer = self._json(response)
        if response.status_code != httpx.codes.OK:
            detail = answer.get("detail", response.reason_phrase)
            raise OperatorError(f"{method} {path} answered {response.status_code}: {detail}")
        return answer

    async def _answer(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            return await self._http.request(method, path, json=body)
        except httpx.HTTPError as exc:
            raise self._silent(exc) from exc

    def _silent(self, exc: httpx.HTTPError) -> OperatorError:
        return OperatorError(_why_none(self._base_url, exc))

    def _check_allowed(self, response: httpx.Response, method: str, path: str) -> None:
        """Raises `OperatorError` where a key is missing, or grants too little."""
        if response.status_code == httpx.codes.UNAUTHORIZED:
            if self._has_key:
                raise OperatorError(
                    f"The coordinator at {self._base_url} does not know this key, or it has ended:"
                    f" `coordinator keys list` tells which count. {_HOW}"
                )
            raise OperatorError(f"The coordinator at {self._base_url} asks for a key. {_HOW}")
        if response.status_code == httpx.codes.FORBIDDEN:
            why = self._json(response).get("detail", "it grants too little")
            raise OperatorError(f"This key may not {method} {path}: {why} {_HOW}")

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError as exc:
            raise self._foreign() from exc
        if not isinstance(answer, dict):
            raise self._foreign()
        return answer

    def _foreign(self) -> OperatorError:
        return OperatorError(f"What answers at {self._base_url} is not a coordinator's API")


def _checked(base_url: str) -> str:
    """With a scheme, and without a slash at its end. Raises `OperatorError`."""
    if not base_url.strip():
        raise OperatorError(f"--url is empty: {_FORM}, or leave it out")
    url = base_url if "://" in base_url else f"http://{base_url}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        good = False
    if not good:
        raise OperatorError(f"--url {base_url!r} is not an address of HTTP: {_FORM}")
    return url.rstrip("/")


def _trusted(base_url: str) -> ssl.SSLContext | bool:
    """The CAs of `SSL_CERT_FILE` or `SSL_CERT_DIR`, else those that httpx brings. Raises `OperatorError`."""
    if urlsplit(base_url).scheme != "https":
        return True
    try:
        return httpx.create_ssl_context()
    except OSError as exc:
        raise OperatorError(
            "The CAs that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read:"
            f" {exc.strerror or exc}: name a file in PEM"
        ) from exc


def _why_none(base_url: str, exc: httpx.HTTPError) -> str:
    """What to do where no answer came."""
    why = str(exc) or type(exc).__name__
    if "CERTIFICATE_VERIFY_FAILED" in why:
        return (
            f"The certificate of {base_url} is not trusted ({why}): name the file of its CA in SSL_CERT_FILE,"
            " and in --url a name that stands in the certificate"
        )
    if isinstance(exc, httpx.RemoteProtocolError) and urlsplit(base_url).scheme == "http":
        return (
            f"What listens at {base_url} gave no answer of HTTP ({why}): if it speaks TLS, name it with --url"
            " https://..."
        )
    return (
        f"No coordinator answers at {base_url} ({why}): start one with `make run`, or name another with"
        " --url"
    )


_HOW = (
    "Give one of the roles reader and producer in COORDINATOR_KEY, or in a file with --key-file: `coordinator"
    " keys create --name demo --role reader --role producer` makes it."
)
_FORM = "give one such as http://127.0.0.1:9001"

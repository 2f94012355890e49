"""`coordinator doctor` beside a running service, and an operator who does what it says."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shlex
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx

from coordinator import doctor
from coordinator.settings import Settings
from tests.support.broker import Broker
from tests.support.waiting import eventually

__all__ = ["Doctor", "Findings", "follow"]

Findings = dict[str, list[dict[str, str]]]
"""Those that are not fine, by check."""


class Doctor:
    """``operator`` is the broker as a user sees it who administers it."""

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        *,
        operator: Broker | None = None,
        patience: doctor.Patience = doctor.Patience(),  # noqa: B008 - frozen
    ) -> None:
        self._patience = patience
        self._operator = operator or broker
        login = urlsplit(self._operator.url).netloc.rpartition("@")[0]
        management = urlsplit(broker.management.url)
        self._settings = Settings.model_validate(
            {
                "amqp_url": broker.url,
                "management_url": urlunsplit(
                    management._replace(netloc=f"{login}@{management.netloc}")
                ),
                "data_dir": folder,
            }
        )

    async def visit(self) -> tuple[int, Findings]:
        """The exit status, and what is not as it should be."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = await asyncio.to_thread(
                doctor.run, self._settings, json=True, patience=self._patience
            )
        found: Findings = {}
        for one in json.loads(printed.getvalue())["findings"]:
            if one["level"] != "ok":
                found.setdefault(one["check"], []).append(one)
        return status, found

    async def finds(self, check: str, words: str) -> str:
        """Wait for a problem with these words; what puts it right. The management API is some seconds
        behind.
        """
        return await self._finds(check, words, level="problem")

    async def warns(self, check: str, words: str) -> str:
        """The same for a warning."""
        return await self._finds(check, words, level="warning")

    async def _finds(self, check: str, words: str, *, level: str) -> str:
        async def found() -> str | None:
            status, findings = await self.visit()
            for one in findings.get(check, ()):
                if words in one["text"] and one["level"] == level:
                    assert status == 1 or level != "problem"
                    return one["fix"]
            return None

        return await eventually(found, timeout=90)

    async def finds_no_problem(self) -> None:
        async def well() -> bool:
            status, _ = await self.visit()
            return status == 0

        await eventually(well, timeout=90)

    async def cure(self, fix: str) -> None:
        await follow(fix, self._operator)


async def follow(fix: str, broker: Broker) -> None:
    """As curl would, once it was told the password."""
    parts = urlsplit(broker.url)
    login = parts.username or "guest", parts.password or "guest"
    async with httpx.AsyncClient(auth=login, trust_env=False) as http:
        for command in fix.split(" && "):
            words = shlex.split(command)
            assert words[0] == "curl"
            method = words[words.index("-X") + 1]
            body = words[words.index("-d") + 1] if "-d" in words else None
            answer = await http.request(
                method, words[-1], content=body, headers={"Content-Type": "application/json"}
            )
            answer.raise_for_status()

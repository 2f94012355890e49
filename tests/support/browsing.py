"""Headless Chromium, as the tests of the dashboard and its screenshots use it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, async_playwright

__all__ = ["Tab", "chromium", "find_chromium"]

NAMES = ("chromium", "chromium-browser", "google-chrome")

PATIENCE = 20_000.0
"""Milliseconds that a tab waits for what it is to show."""


def find_chromium() -> str | None:
    """Its path; None where this machine has none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """A page of the browser, and what went wrong in it: errors of scripts, refusals by the policy, requests
    to another host.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wrong: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self._asked)

    async def go(self, path: str = "/") -> None:
        await self.page.goto(f"{self.url}/dashboard{path}")

    async def sees(self, text: str, where: str = "main") -> None:
        """Once it is there."""
        await self.page.locator(where).get_by_text(text).first.wait_for()

    async def sees_not(self, selector: str) -> None:
        """Once it is gone."""
        await self.page.locator(selector).first.wait_for(state="detached")

    async def presses(self, name: str, where: str = "main") -> None:
        """The button that is called so."""
        await self.page.locator(where).get_by_role("button", name=name, exact=True).click()

    async def confirms(self, name: str) -> None:
        """In the dialog that is open."""
        await self.presses(name, "dialog[open]")
        await self.page.locator("dialog[open]").wait_for(state="detached")

    async def is_told(self, text: str) -> None:
        """In the corner, where it is said what was done."""
        await self.sees(text, "#notices")

    def _said(self, message: Any) -> None:
        # A refusal that a person is told of is told by the browser, too.
        if (
            message.type == "error"
            and "the server responded with a status of 4" not in message.text
        ):
            self.wrong.append(message.text)

    def _asked(self, request: Any) -> None:
        self.requests.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked {request.url}")


@asynccontextmanager
async def chromium(**context: Any) -> AsyncIterator[BrowserContext]:
    """A browser without a window, with no cookie of another test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            opened = await browser.new_context(
                **{"viewport": {"width": 1280, "height": 800}, **context}
            )
            opened.set_default_timeout(PATIENCE)
            yield opened
        finally:
            await browser.close()

"""Signing in where the service asks for keys: pages show as disabled what it would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.access.roles import Role
from coordinator.client import AsyncClient
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.api_keys import ApiKeys
from tests.support.broker import Broker
from tests.support.browsing import Tab, chromium

from .conftest import looked_at

pytestmark = [pytest.mark.any_broker, pytest.mark.usefixtures("browser_at_hand")]


async def keys(folder: Path) -> dict[Role, str]:
    """One of each of these roles, named after it."""
    async with Ledger(f"sqlite:///{folder / 'ledger.sqlite3'}") as ledger:
        roles = (Role.READER, Role.PRODUCER, Role.OPERATOR)
        return {role: await ApiKeys(ledger).create(role, [role]) for role in roles}


async def signs_in(tab: Tab, key: str) -> None:
    await tab.page.locator("#key").fill(key)
    await tab.presses("Sign in")


async def test_pages_let_do_what_the_key_may_and_the_cookie_is_no_script_s(
    broker: Broker, tmp_path: Path
) -> None:
    secrets = await keys(tmp_path)
    async with looked_at(broker.url, tmp_path, auth="required") as looked, chromium() as browser:
        tab = Tab(await browser.new_page(), looked.url)
        async with AsyncClient(looked.url, key=secrets[Role.PRODUCER]) as producer:
            handle = await producer.submit({}, requirements={"capabilities": ["nobody-has-it"]})

        await tab.go("/tasks")
        await tab.sees("This coordinator asks who calls.")
        await signs_in(tab, "ackey_" + "x" * 43)
        await tab.sees("The coordinator does not know this key")
        await signs_in(tab, secrets[Role.READER])
        await tab.sees("Waiting by priority")
        await tab.sees("key:reader", "header")
        [cookie] = await browser.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert (cookie["path"], cookie["expires"]) == ("/dashboard", -1)
        assert secrets[Role.READER] not in await tab.page.content()

        await tab.go(f"/tasks/{handle.task_id}")
        cancel = tab.page.get_by_role("button", name="Cancel…")
        assert await cancel.is_disabled()
        assert await cancel.get_attribute("title") == "This needs the role operator or producer"
        # Whoever sends the form all the same is refused by the service, in its words.
        await cancel.evaluate("button => { button.disabled = false; button.click(); }")
        await tab.presses("Cancel the task", "dialog[open]")
        await tab.is_told("This needs the role operator, or producer for what is one's own")
        assert all(secrets[Role.READER] not in asked for asked in tab.requests)

        await tab.page.keyboard.press("Escape")
        await tab.presses("Sign out", "header")
        await tab.sees("This coordinator asks who calls.")
        assert await browser.cookies() == []
        await signs_in(tab, secrets[Role.OPERATOR])
        await tab.sees("key:operator", "header")
        await tab.go(f"/tasks/{handle.task_id}")
        await tab.presses("Cancel…")
        await tab.confirms("Cancel the task")
        await tab.sees("cancelled", "#task-state")
        await tab.sees('"by": "key:operator"')
        assert tab.wrong == []


async def test_a_producer_sees_its_own_tasks_and_is_told_what_it_may_not_see(
    broker: Broker, tmp_path: Path
) -> None:
    secrets = await keys(tmp_path)
    async with looked_at(broker.url, tmp_path, auth="required") as looked, chromium() as browser:
        tab = Tab(await browser.new_page(), looked.url)
        async with AsyncClient(looked.url, key=secrets[Role.OPERATOR]) as operator:
            theirs = await operator.submit({})
        async with AsyncClient(looked.url, key=secrets[Role.PRODUCER]) as producer:
            own = await producer.submit({})
        await tab.go("/")
        await signs_in(tab, secrets[Role.PRODUCER])
        await tab.sees("This needs the role reader, which key:producer does not have")
        await tab.go("/tasks")
        await tab.page.locator(f"#t-{own.task_id}").wait_for()
        assert await tab.page.locator(f"#t-{theirs.task_id}").count() == 0
        assert tab.wrong == []


async def test_a_key_that_ends_leads_to_the_page_for_another(
    broker: Broker, tmp_path: Path
) -> None:
    secrets = await keys(tmp_path)
    async with looked_at(broker.url, tmp_path, auth="required") as looked, chromium() as browser:
        tab = Tab(await browser.new_page(), looked.url)
        await tab.go("/sign-in")
        await signs_in(tab, secrets[Role.READER])
        await tab.sees("Waiting by priority")
        async with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}") as ledger:
            await ApiKeys(ledger).revoke("reader")
        await tab.sees("The coordinator does not know this key, or it has ended")

"""A user of the broker who may publish anything changes nothing of another's, where identity is required."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.messages.registration import REGISTER, control_queue
from coordinator.protocol.topology import REQUESTS
from tests.support.broker import Broker
from tests.support.waiting import eventually

from .actors import Letter
from .forgeries import by_key_and_user, of_coordinators, of_outcomes, of_output, of_tasks, output
from .stages import staged

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("forgeries", [by_key_and_user, of_outcomes, of_coordinators, of_tasks])
async def test_nothing_that_is_forged_changes_anything_of_anothers(
    broker: Broker, tmp_path: Path, forgeries: Any
) -> None:
    async with staged(broker, tmp_path) as stage:
        before = await stage.state()
        harm: dict[str, Any] = {}
        for how, letter in forgeries(stage.scene):
            await stage.attacker.send(letter)
            after = await stage.state()
            if after != before:
                harm[how] = {name: after[name] for name in after if after[name] != before[name]}
                before = after
        assert harm == {}
        # What was said truly counts as ever.
        stage.release.set()
        ended = await stage.service.ends(stage.scene.task["task_id"])
        assert (ended["state"], ended["agent_id"]) == ("completed", stage.scene.victim)


async def test_what_was_forged_is_parked_with_its_reason_and_counted_by_its_author(
    broker: Broker, tmp_path: Path
) -> None:
    async with staged(broker, tmp_path) as stage:
        (_, forged), *_ = list(of_outcomes(stage.scene))
        (_, without_user), (_, of_another), *_ = list(by_key_and_user(stage.scene))
        for letter in (forged, without_user, of_another):
            await stage.attacker.send(letter)
        assert await stage.parked() == 3
        page = (await stage.service.http.get("/parked")).json()["parked"]
        reasons = [one["reason"].partition(":")[0] for one in page]
        assert sorted(reasons) == ["ForgedIdentity", "ForgedIdentity", "WrongToken"]

        async def told() -> list[str] | None:
            problems = (await stage.service.http.get("/health")).json().get("problems", [])
            return problems if len(problems) == 2 else None

        problems = await eventually(told)
        assert all(f"user {stage.attacker.name}: 1" in one for one in problems)


async def test_nobody_tells_partial_output_of_anothers_task_or_in_anothers_name(
    broker: Broker, tmp_path: Path
) -> None:
    async with staged(broker, tmp_path) as stage:
        tails, scene = stage.service.coordinator.output.tails, stage.scene
        own_task = scene.own_task["task_id"]
        [queue] = [name for name in await broker.queues() if name.startswith("output.")]
        piece = scene.own_task | {"run": "true", "chunks": ["true"]}

        def heard(number: int) -> bool:
            tail = tails.of(own_task)
            return tail is not None and tail.run.run == "true" and tail.last == number

        for number, (how, forged) in enumerate(of_output(scene, queue), 1):
            await stage.attacker.send(forged)
            assert await stage.attacker.send(output(scene.attacker, piece | {"first": number}))
            await eventually(partial(heard, number))
            tail = tails.of(own_task)
            assert tail is not None, how
            assert tail.run.attempt == scene.own_task["attempt"], how
            assert tails.of(scene.task["task_id"]) is None, how


@pytest.mark.parametrize("user_id", [None, ""])
async def test_nobody_registers_as_another(
    broker: Broker,
    tmp_path: Path,
    user_id: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with staged(broker, tmp_path) as stage:
        before, victim = await stage.state(), stage.scene.victim
        request = Letter(
            key=REQUESTS,
            exchange="",
            type=REGISTER,
            body={"agent_id": victim, "agent_type": "worker", "capabilities": ["forged"]},
            user_id=user_id,
            reply_to=control_queue(victim, "forged"),
        )
        await stage.attacker.send(request)
        await eventually(
            lambda: any("is not this agent's" in getattr(one, "why", "") for one in caplog.records)
        )
        assert await stage.state() == before


async def test_the_broker_refuses_anothers_user(broker: Broker, tmp_path: Path) -> None:
    async with staged(broker, tmp_path) as stage:
        for how, letter in by_key_and_user(stage.scene):
            taken = await stage.attacker.send(letter)
            assert taken is (letter.user_id != stage.scene.victim), how

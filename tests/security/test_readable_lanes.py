"""Who may read a lane may empty it: RabbitMQ has one permission for both. What becomes of the tasks then."""

from __future__ import annotations

from pathlib import Path

import aiormq
import pytest

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.protocol.ids import new_id
from tests.support.agent_accounts import account_of
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually

LANE = "tasks.any.normal"
GPU = {"capabilities": ["gpu"]}
ANOTHER = "tasks.cap:gpu.normal"


@pytest.mark.slow
async def test_what_a_user_takes_away_from_its_lane_is_put_back_and_done_by_others(
    broker: Broker, tmp_path: Path
) -> None:
    ada, eve = (AgentGrant(agent_id=f"{name}-{new_id()[-12:]}") for name in ("ada", "eve"))
    async with (
        account_of(broker, ada, eve) as [ada_url, eve_url],
        serving(broker, tmp_path, require_identity=True, reconcile_after=1) as service,
    ):
        taken = [await service.submit() for _ in range(4)]
        elsewhere = await service.submit(requirements=GPU)
        connection = await aiormq.connect(eve_url)
        channel = await connection.channel()
        got = await eventually(lambda: channel.basic_get(LANE, no_ack=True))
        assert got.body
        purged = await channel.queue_purge(LANE)
        assert purged.message_count == 3
        with pytest.raises(aiormq.exceptions.ChannelAccessRefused):
            await channel.queue_purge(ANOTHER)
        await connection.close()
        assert (await broker.depth(LANE), await broker.depth(ANOTHER)) == (0, 1)

        agent = service.agent(ada.agent_id)
        agent.configure(amqp_url=ada_url)
        agent.default(lambda _: "done")
        async with agent.running() as running:
            await running.registered()
            later = [await service.submit() for _ in range(3)]
            for task_id in (*later, *taken):
                told = await service.ends(task_id)
                assert (told["state"], told["agent_id"]) == ("completed", ada.agent_id)
        assert (await service.task(elsewhere))["state"] == "queued"

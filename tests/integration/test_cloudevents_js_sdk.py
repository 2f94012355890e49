"""CloudEvents' own SDK for JavaScript reads every event, and tells a whole task in each of its forms."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import encode, encode_batch
from tests.support.broker import Broker
from tests.support.registering import registering_side
from tests.support.sources import must_have_a_broker
from tests.support.waiting import eventually
from tests.unit.protocol.test_cloudevents_sdk import EVENTS

CLIENTS = Path(__file__).parents[1] / "clients"
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _sdk() -> None:
    if shutil.which("node") is None or not (CLIENTS / "node_modules/cloudevents").exists():
        missing = "no CloudEvents SDK for JavaScript: run tests/clients/install.sh"
        pytest.fail(missing) if must_have_a_broker() else pytest.skip(missing)


def sdk(*words: str, given: list[dict[str, Any]]) -> list[Any]:
    """What the program makes of each."""
    done = subprocess.run(
        ["node", str(CLIENTS / "cloudevents_sdk.js"), *words],
        input="\n".join(map(json.dumps, given)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def message_of(one: Message) -> dict[str, Any]:
    return {
        "headers": dict(one.headers),
        "contentType": one.content_type,
        "body": one.body.decode(),
    }


def test_every_event_in_binary_mode_is_read_and_valid() -> None:
    found = sdk("read", given=[message_of(encode(event)) for event in EVENTS])
    assert [one["id"] for one in found] == [event.id for event in EVENTS]
    assert [one["type"] for one in found] == [event.type for event in EVENTS]
    assert [one.get("subject") for one in found] == [event.data.subject or None for event in EVENTS]
    datas = [json.loads(event.data.model_dump_json(exclude_none=True)) for event in EVENTS]
    assert [one["data"] for one in found] == datas
    assert {one["time"] for one in found} == {"2026-01-02T03:04:05.678Z"}


def test_every_event_of_a_batch_is_read_and_valid() -> None:
    batches = [encode_batch([event, event])[1] for event in EVENTS]
    found = sdk("read", given=[message_of(batch) for batch in batches])
    assert [[one["id"] for one in batch] for batch in found] == [[e.id, e.id] for e in EVENTS]
    assert [batch[0]["type"] for batch in found] == [event.type for event in EVENTS]


@pytest.mark.parametrize("among_the_headers", [True, False], ids=["as it comes", "as a property"])
@pytest.mark.parametrize("form", ["binary", "structured", "batch"])
async def test_a_whole_task_told_by_the_sdk_is_completed(
    broker: Broker, tmp_path: Path, form: str, among_the_headers: bool
) -> None:
    """The SDK hands out the content type among the headers: some set the property by it, some do not."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    async with registering_side(broker.url, name=broker.name, ledger_url=url) as side:
        side.start("projector")
        task = await side.submit("t")
        fence = {"task_id": "t", "generation": 1, "attempt": 1, "agent_id": "ada"}
        proof = {"task_token": task.task_token}
        told = {
            "started": fence,
            "progress": {**fence, "fraction": 0.5, "message": "half"},
            "completed": {**fence, **proof, "result": {"reversed": "desserts"}},
        }
        head = {"source": "/agents/ada", "subject": "t", "time": BEGAN.isoformat()}
        given = [{**head, "type": f"task.{what}", "data": data} for what, data in told.items()]
        for what, made in zip(told, sdk("write", form, given=given), strict=True):
            headers = made["headers"]
            content_type = None if among_the_headers else headers.pop("content-type")
            body = made["body"].encode()
            message = Message(body=body, headers=headers, content_type=content_type)
            await side.publish(message, f"task.ada.{what}")

        async def ended() -> bool:
            return (await side.registry.task("t")).state == "completed"

        await eventually(ended)
        view = await side.registry.task("t")
        assert view.result == {"reversed": "desserts"}
        assert view.progress is not None
        assert view.progress["fraction"] == 0.5

        def times() -> list[datetime]:
            return [one.time for one in side.folded if one.data.author == "ada"]

        await eventually(lambda: len(times()) >= 3)  # the ledger has them a moment before
        assert times() == [BEGAN] * 3

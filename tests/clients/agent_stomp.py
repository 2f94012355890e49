"""An agent over STOMP: pip install stomp.py, then
COORDINATOR_STOMP_URL=stomp://guest:guest@localhost:61613 python agent_stomp.py.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from queue import Empty, PriorityQueue
from typing import Any
from urllib.parse import unquote, urlsplit

import stomp

AGENT = "stomp-agent"
INSTANCE = str(uuid.uuid4())
RANKS = ["urgent", "critical", "high", "normal", "low"]
CONTROL = f"agent.{AGENT}.control.{INSTANCE}"
URL = urlsplit(os.environ["COORDINATOR_STOMP_URL"])
USER = unquote(URL.username or "")
"""The broker refuses any other."""


class StompAgent(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.queues: dict[str, int] = {}  # how urgent each is, 0 is most
        self.arrived: PriorityQueue[tuple[int, int, dict[str, Any], str]] = PriorityQueue()
        self.in_hand: dict[str, dict[str, Any]] = {}  # of tasks that were delivered: what is told
        self.running: str | None = None
        self.receipts: dict[str, threading.Event] = {}
        self.heartbeat_seconds = 0.0
        self.registered = threading.Event()

    # --- what it says ---------------------------------------------------------------------------

    def tell(self, kind: str, data: dict[str, Any], subject: str = AGENT) -> None:
        """Publish an event and wait for the broker's confirm."""
        noun, what = kind.split(".")
        receipt = str(uuid.uuid4())
        confirmed = self.receipts[receipt] = threading.Event()
        self.connection.send(
            f"/exchange/coordinator.events/{noun}.{AGENT}.{what}",
            json.dumps({"agent_id": AGENT, "instance": INSTANCE, **data}),
            content_type="application/json",
            headers={
                "persistent": "false" if what == "heartbeat" else "true",
                "receipt": receipt,
                "user-id": USER,
                "cloudEvents_specversion": "1.0",
                "cloudEvents_id": receipt,
                "cloudEvents_type": kind,
                "cloudEvents_source": f"/agents/{AGENT}",
                "cloudEvents_subject": subject,
                "cloudEvents_time": str(time.time_ns() // 1_000_000),
            },
        )
        if not confirmed.wait(30):
            raise SystemExit("the broker confirms nothing")

    def register(self) -> None:
        profile = {"agent_id": AGENT, "agent_type": "worker", "instance": INSTANCE, "slots": 1}
        self.connection.send(
            "/amq/queue/coordinator.requests",
            json.dumps({**profile, "task_types": ["reverse-stomp"]}),
            content_type="application/json",
            headers={
                "type": "register",
                "correlation-id": str(uuid.uuid4()),
                "reply-to": CONTROL,
                "expiration": "5000",
                "user-id": USER,
            },
        )

    def beat(self) -> None:
        sequence = 0
        while True:
            sequence += 1
            tasks = list(self.in_hand.values())
            running = [one for one in tasks if one["task_id"] == self.running]
            held = [one for one in tasks if one["task_id"] != self.running]
            state = {"sequence": sequence, "slots": 1, "running": running, "held": held}
            self.tell("agent.heartbeat", state)
            time.sleep(self.heartbeat_seconds)

    # --- what it is told ------------------------------------------------------------------------

    def on_error(self, frame: Any) -> None:
        """The broker has ended the connection."""
        print(frame.headers.get("message"), frame.body, flush=True)
        os._exit(1)

    def on_receipt(self, frame: Any) -> None:
        self.receipts.pop(frame.headers["receipt-id"]).set()

    def on_message(self, frame: Any) -> None:
        body = json.loads(frame.body) if frame.body else {}
        if frame.headers["subscription"].startswith("control "):
            self.follow(frame.headers.get("type"), body)
            return
        # One more may come from a queue that was left.
        rank = self.queues.get(frame.headers["subscription"], len(RANKS))
        fence = {key: body[key] for key in ("task_id", "generation", "attempt", "task_token")}
        self.in_hand[body["task_id"]] = fence
        self.arrived.put((rank, time.monotonic_ns(), body, frame.headers["ack"]))

    def follow(self, command: str | None, body: dict[str, Any]) -> None:
        match command:
            case "register" if body.get("error"):
                print(body["error"], flush=True)
                os._exit(1)
            case "register":
                self.serve_all(body["sources"])
                self.heartbeat_seconds = body["heartbeat_seconds"]
                self.registered.set()
            case "serve-sources":
                for queue in set(self.queues) - {one["queue"] for one in body["sources"]}:
                    self.leave(queue)
                self.serve_all(body["sources"])
            case "serve-source" if body["requirements"].get("task_type") == "reverse-stomp":
                self.serve(f"tasks.{body['lane']}.{body['priority']}", body["priority"])
            case "leave-source":
                self.leave(f"tasks.{body['lane']}.{body['priority']}")
            case "register-again":
                self.register()

    def serve_all(self, sources: list[dict[str, Any]]) -> None:
        for one in sources:
            self.serve(one["queue"], one["priority"])

    def serve(self, queue: str, priority: str) -> None:
        """STOMP has no way to ask for one message: each queue hands over one, and no more until it is
        acknowledged. Heartbeats name those that wait as `held`.
        """
        if queue not in self.queues:
            self.queues[queue] = RANKS.index(priority)
            options = {"ack": "client-individual", "headers": {"prefetch-count": "1"}}
            self.connection.subscribe(f"/amq/queue/{queue}", id=queue, **options)

    def leave(self, queue: str) -> None:
        if self.queues.pop(queue, None) is not None:
            self.connection.unsubscribe(id=queue)

    # --- what it does ---------------------------------------------------------------------------

    def work(self) -> None:
        while self.connection.is_connected():
            try:
                _, _, task, ack = self.arrived.get(timeout=1)
            except Empty:
                continue
            task_id = task["task_id"]
            fence = self.in_hand[task_id]
            self.in_hand[task_id] = {**fence, "started_at": datetime.now(UTC).isoformat()}
            self.running = task_id
            self.tell("task.started", fence, task_id)
            text = task["task_data"].get("text")
            if text is None:
                error = {"type": "Incomplete", "message": "there is no text in the task"}
                ended = {**fence, "error": error, "retryable": False}
                self.tell("task.failed", ended, task_id)
            else:
                ended = {**fence, "result": {"reversed": text[::-1]}}
                self.tell("task.completed", ended, task_id)
            self.connection.ack(ack)
            self.running = None
            del self.in_hand[task_id]


def listen(connection: Any) -> None:
    """The control queue, for what is said to this agent and to all."""
    own: Mapping[str, str] = {
        "x-queue-name": CONTROL,
        "exclusive": "true",
        "durable": "false",
        "auto-delete": "true",
    }
    for key in (f"agent.{AGENT}", "all"):
        address = f"/exchange/coordinator.control/{key}"
        connection.subscribe(address, id=f"control {key}", ack="auto", headers=own)


def main() -> None:
    """Until SIGTERM, which is an end in good order: what is in hand goes to another agent."""
    vhost = unquote(URL.path.removeprefix("/")) or "/"
    connection = stomp.Connection12([(URL.hostname, URL.port or 61613)], vhost=vhost)
    agent = StompAgent(connection)
    connection.set_listener("", agent)
    connection.connect(USER, unquote(URL.password or ""), wait=True)
    listen(connection)
    while not agent.registered.is_set():
        agent.register()
        agent.registered.wait(5)
    threading.Thread(target=agent.beat, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        agent.work()
    finally:
        agent.tell("agent.stopped", {})
        connection.disconnect()


main()

"""The service, which kills itself with SIGKILL when the log has a group of tasks and no queue has any.

The rest is the command line of `coordinator`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from coordinator.broker.frames.frame_writer import FrameWriter
from coordinator.commands import cli
from coordinator.protocol.messages.task_group import GROUP_TYPE


def arm() -> None:
    send = FrameWriter.send
    logged: list[asyncio.Future[Any]] = []

    def cut(self: FrameWriter, message: Any, **where: Any) -> asyncio.Future[Any]:
        if logged:  # what comes behind it never leaves
            return asyncio.get_running_loop().create_future()
        sent = send(self, message, **where)
        if message.type == GROUP_TYPE:
            logged.append(sent)
            sent.add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGKILL))
        return sent

    setattr(FrameWriter, "send", cut)  # noqa: B010


if __name__ == "__main__":
    arm()
    sys.exit(cli.main(sys.argv[1:]))

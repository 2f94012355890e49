"""The service, which suspends itself with SIGSTOP once, when it is about to publish the tick of a schedule.

It tells the id of the tick's message before, and once more when the broker has it. The rest is the command
line of `coordinator`.
"""

from __future__ import annotations

import os
import signal
import sys

from coordinator.broker.publisher import Outgoing
from coordinator.commands import cli
from coordinator.submission.submitter import Submitter


def arm() -> None:
    publish = Submitter._publish_confirmed
    suspended: list[str] = []

    async def suspending(self: Submitter, sending: Outgoing) -> None:
        first = not suspended
        suspended.append(str(sending.message.message_id))
        if first:
            print("suspended before", suspended[0], flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        await publish(self, sending)
        if first:
            print("published", suspended[0], flush=True)

    setattr(Submitter, "_publish_confirmed", suspending)  # noqa: B010


if __name__ == "__main__":
    arm()
    sys.exit(cli.main(sys.argv[1:]))

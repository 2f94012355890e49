"""Keeps an agent's last registration in a file, so that it starts while no coordinator runs."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.registration import RegisterReply
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.requirements import Profile

__all__ = ["RegistrationCache"]

logger = logging.getLogger(__name__)


class RegistrationCache:
    """Saves the last reply, in a file of its own for each agent, broker and profile: an agent that can do
    something else now, or on another broker, serves other queues.
    """

    def __init__(self, folder: Path | None, profile: Profile, *, amqp_url: str) -> None:
        """Nothing is kept where ``folder`` is None."""
        broker = urlsplit(amqp_url)
        what = [
            f"{broker.hostname}:{broker.port}{broker.path}",
            profile.agent_type,
            *sorted(profile.capabilities),
            "",
            *sorted(profile.services),
        ]
        self._told = False
        digest = hashlib.sha256("\n".join(what).encode()).hexdigest()[:12]
        self.path = (
            None if folder is None else folder / f"{encode_word(profile.agent_id)}.{digest}.json"
        )

    def load(self) -> RegisterReply | None:
        """None where there is none, or none that can be read."""
        if self.path is None:
            self._tell("there is no folder for it, since this user has no home")
            return None
        try:
            return RegisterReply.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as exc:
            self._tell(f"{self.path} cannot be read: {exc}")
            return None

    def save(self, reply: RegisterReply) -> None:
        """Replace it whole or not at all. An agent without a disk works, but for this."""
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(f".{new_id()}")
            fresh.write_text(reply.model_dump_json())
            fresh.replace(self.path)
        except OSError as exc:
            self._tell(f"{self.path} cannot be written: {exc}")

    def _tell(self, why: str) -> None:
        """Once: the agent works, but cannot start while no coordinator runs."""
        if not self._told:
            logger.warning(
                "the registration is not kept for the next start: %s (cache_dir or XDG_CACHE_HOME"
                " names another folder)",
                why,
            )
        self._told = True

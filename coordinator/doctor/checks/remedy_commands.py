"""Makes the commands that put things right, for the broker at hand.

Over the management API where it answers, since that works from here and on any broker; else with
RabbitMQ's own tools, to be run where the broker is. No command carries a password: curl asks for it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from coordinator.doctor.facts.fact_types import Facts, ManagementFacts, Policy

__all__ = ["TIMEOUT_POLICY", "RemedyCommands"]

TIMEOUT_POLICY = "agent-coordinator-tasks"
"""As `deploy/rabbitmq/policies.sh` names it."""

RESTART = "restart the coordinator (`coordinator up` or `coordinator serve`): it declares them anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyCommands:
    """Makes each command as one line of a shell, or a sentence where there is no command."""

    vhost: str
    user: str
    """Of AMQP."""
    management_user: str
    management_url: str | None = None
    """None where it does not answer."""
    administers: bool = False
    """Whether its user may change what others may do."""

    @classmethod
    def of(cls, facts: Facts) -> RemedyCommands:
        """Those for the broker that the facts are of."""
        reached = not isinstance(facts.management, str)
        return cls(
            vhost=facts.address.vhost,
            user=facts.address.user,
            management_user=facts.address.management_login[0],
            management_url=facts.address.management_url if reached else None,
            administers=isinstance(facts.management, ManagementFacts)
            and facts.management.has_vhost is not None,
        )

    def delete_queue(self, name: str) -> str:
        """A shell command, as from every method here."""
        if self.management_url:
            return self._curl("DELETE", "queues", self.vhost, name)
        return self._ctl("delete_queue", name)

    def delete_exchange(self, name: str) -> str:
        """RabbitMQ's own tool has no such command."""
        if self.management_url:
            return self._curl("DELETE", "exchanges", self.vhost, name)
        return f"delete the exchange {name} in the management UI, tab Exchanges"

    def delete_policy(self, policy: Policy) -> str:
        if self.management_url:
            kind = "operator-policies" if policy.operator else "policies"
            return self._curl("DELETE", kind, self.vhost, policy.name)
        return self._ctl(
            "clear_operator_policy" if policy.operator else "clear_policy", policy.name
        )

    def set_policy(self, name: str, policy: Mapping[str, object]) -> str:
        """Makes a policy, or replaces it; ``policy`` as the management API has it."""
        if self.management_url:
            return self._curl("PUT", "policies", self.vhost, name, body=json.dumps(dict(policy)))
        options = ("--apply-to", str(policy["apply-to"]), "--priority", str(policy["priority"]))
        definition = json.dumps(policy["definition"])
        return self._ctl("set_policy", *options, name, str(policy["pattern"]), definition)

    def set_timeout_policy(self, timeout: timedelta) -> str:
        """Lets agents hold a task for as long as ``timeout``, by a policy: RabbitMQ 3.12 and later."""
        policy = {
            "pattern": r"^tasks\.",
            "apply-to": "queues",
            "priority": 10,
            "definition": {"consumer-timeout": _milliseconds(timeout)},
        }
        return self.set_policy(TIMEOUT_POLICY, policy)

    def set_timeout_setting(self, timeout: timedelta) -> str:
        """The same by rabbitmq.conf, for older ones."""
        return f"set `consumer_timeout = {_milliseconds(timeout)}` in rabbitmq.conf and restart the node"

    def create_vhost(self) -> str:
        """With what the user of AMQP may do in it."""
        if self.administers:
            return f"{self._curl('PUT', 'vhosts', self.vhost)} && {self.let_use_everything()}"
        return (
            f"{shlex.join(['rabbitmqctl', 'add_vhost', self.vhost])} && {self.let_use_everything()}"
        )

    def restart_leader(self, name: str) -> str:
        """Restarts the node that leads the queue ``name``."""
        told = shlex.join(["rabbitmq-queues", "quorum_status", "--vhost", self.vhost, name])
        return f"restart the node that leads it: `{told}` there names it"

    def let_use_everything(self) -> str:
        """Grants the user of AMQP all permissions in the virtual host."""
        if self.administers:
            everything = dict.fromkeys(("configure", "write", "read"), ".*")
            body = json.dumps(everything)
            return self._curl("PUT", "permissions", self.vhost, self.user, body=body)
        return self._ctl("set_permissions", self.user, ".*", ".*", ".*")

    def take_tags(self, user: str) -> str:
        """Takes all tags from a user of the broker."""
        return shlex.join(["rabbitmqctl", "set_user_tags", user])

    def let_monitor(self) -> str:
        """Lets the user of the management API read all of it."""
        return (
            f"rabbitmqctl set_user_tags {shlex.quote(self.management_user)} monitoring policymaker"
        )

    def enable_flags(self) -> str:
        return "rabbitmqctl enable_feature_flag all"

    def _curl(self, method: str, *path: str, body: str | None = None) -> str:
        where = "/".join(quote(part, safe="") for part in path)
        words = ["curl", "-f", "-u", self.management_user, "-X", method]
        if body is not None:
            words += ["-H", "Content-Type: application/json", "-d", body]
        return shlex.join([*words, f"{self.management_url}/api/{where}"])

    def _ctl(self, command: str, *words: str) -> str:
        return shlex.join(["rabbitmqctl", command, "--vhost", self.vhost, *words])


def _milliseconds(time: timedelta) -> int:
    return round(time.total_seconds() * 1000)

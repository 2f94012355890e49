"""From facts to findings: each row spoils one fact of a healthy system."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from coordinator.broker.undeliverable_head import WHAT_TO_DO
from coordinator.doctor.checks.finding import Finding, Level, worst
from coordinator.doctor.diagnosis import diagnose
from coordinator.doctor.facts.fact_types import (
    NO_ANSWER,
    BrokerFacts,
    Facts,
    FeatureFlag,
    ListedQueue,
    ManagementFacts,
    NodeFacts,
    ObjectState,
    ObjectVerdict,
    Permissions,
    Policy,
)
from coordinator.protocol.topology import LOG, REQUESTS, TASKS, UNROUTED
from coordinator.registry.ledger.inspection_results import (
    CallbackTrouble,
    FailingSchedules,
    LedgerFacts,
    ParkingSummary,
    UndeliverableQueue,
    WrongClock,
)
from tests.unit.doctor.healthy import (
    HEALTHY,
    NOW,
    SOURCE,
    TIMEOUT_POLICY,
    with_broker,
    with_management,
    with_node,
    with_queue,
    with_state,
)

DAY = 86_400_000
NTP = (
    "have their machines, and the coordinator's, set by NTP: `timedatectl` there says whether one is;"
    " where all agents differ alike, it is the coordinator's"
)
REFUSAL = (
    "Delete this on the broker, which has it with other arguments: PRECONDITION_FAILED -"
    " inequivalent arg 'x-delivery-limit' for queue 'tasks.any.normal' in vhost '/':"
    " received the value '20' of type 'byte' but current is none"
    " (while declaring queue 'tasks.any.normal')"
)


def cut_off(last: str) -> str:
    """The refusal up to these words, as RabbitMQ ends a sentence that is too long."""
    return (
        REFUSAL[: REFUSAL.index(last) + len(last)]
        + "... (while declaring queue 'tasks.any.normal')"
    )


assert isinstance(HEALTHY.broker, BrokerFacts)
assert isinstance(HEALTHY.management, ManagementFacts)
QUEUES = HEALTHY.management.queues or ()
FRESH = with_broker(
    **{
        kind: tuple(
            replace(one, verdict=ObjectVerdict.MISSING) for one in getattr(HEALTHY.broker, kind)
        )
        for kind in ("exchanges", "queues", "sources")
    }
)


def policies(*found: Policy) -> Facts:
    return with_management(policies=(TIMEOUT_POLICY, *found))


def timeout(milliseconds: object, *, version: str = "4.0.5", operator: bool = False) -> Facts:
    policy = replace(
        TIMEOUT_POLICY, definition={"consumer-timeout": milliseconds}, operator=operator
    )
    found = (TIMEOUT_POLICY, policy) if operator else (policy,)
    return replace(with_broker(version=version), management=replace_management(policies=found))


def replace_management(**changes: object) -> ManagementFacts:
    management = with_management(**changes).management
    assert isinstance(management, ManagementFacts)
    return management


def listed(queue: ListedQueue) -> Facts:
    return with_management(queues=(*QUEUES, queue))


def told(facts: Facts, *, beyond_ok: bool = True) -> list[Finding]:
    return [one for one in diagnose(facts) if not beyond_ok or one.level is not Level.OK]


def test_where_all_is_well_every_check_says_so() -> None:
    findings = diagnose(HEALTHY)
    assert worst(findings) is Level.OK
    assert {one.check for one in findings} == {
        *("broker", "version", "memory", "broker-disk", "feature-flags", "queues", "bindings"),
        *("policies", "consumer-timeout", "log", "ledger", "parked", "outbox", "clocks"),
        *("schedules", "callbacks"),
    }
    assert not [one for one in findings if one.fix]


EVERYTHING = '{"configure": ".*", "write": ".*", "read": ".*"}'

SPOILT: list[tuple[str, Facts, Level, str, str, str]] = [
    (
        "broker away",
        replace(HEALTHY, broker="Connection refused", management="Connection refused"),
        Level.PROBLEM,
        "broker",
        "The broker at amqp://rabbit:5672/fleet cannot be used: Connection refused",
        "start RabbitMQ there, or put COORDINATOR_AMQP_URL right: address, user, password, vhost",
    ),
    (
        "broker hangs",
        replace(HEALTHY, broker=NO_ANSWER, management="no answer"),
        Level.PROBLEM,
        "broker",
        "The broker at amqp://rabbit:5672/fleet cannot be used: it does not answer",
        (
            "restart RabbitMQ there, or put COORDINATOR_AMQP_URL right: address, user, password,"
            " vhost"
        ),
    ),
    (
        "private broker hangs",
        replace(
            HEALTHY,
            broker=NO_ANSWER,
            management="no answer",
            address=replace(HEALTHY.address, private=Path("/data/rabbitmq")),
        ),
        Level.PROBLEM,
        "broker",
        "The private RabbitMQ of /data/rabbitmq cannot be used: it does not answer",
        "stop `coordinator up`, and start it again",
    ),
    (
        "virtual host missing",
        replace(
            HEALTHY,
            broker="refused",
            management=replace_management(has_vhost=False, policies=None, queues=None),
        ),
        Level.PROBLEM,
        "broker",
        "The virtual host fleet does not exist at amqp://rabbit:5672/fleet",
        (
            "curl -f -u operator -X PUT http://rabbit:15672/api/vhosts/fleet && curl -f -u operator"
            " -X PUT -H 'Content-Type: application/json' -d"
            f" '{EVERYTHING}' http://rabbit:15672/api/permissions/fleet/operator"
        ),
    ),
    (
        "user may not use the virtual host",
        replace(
            HEALTHY,
            broker="refused",
            management=replace_management(has_vhost=True, permissions=Permissions()),
        ),
        Level.PROBLEM,
        "permissions",
        "The user operator may not use the virtual host fleet",
        (
            "curl -f -u operator -X PUT -H 'Content-Type: application/json' -d"
            f" '{EVERYTHING}' http://rabbit:15672/api/permissions/fleet/operator"
        ),
    ),
    (
        "user may not write",
        with_management(
            has_vhost=True,
            permissions=Permissions(configure=".*", write=r"^(coordinator|tasks)\.", read=".*"),
        ),
        Level.PROBLEM,
        "permissions",
        "The user operator may not write to amq.default",
        (
            "curl -f -u operator -X PUT -H 'Content-Type: application/json' -d"
            f" '{EVERYTHING}' http://rabbit:15672/api/permissions/fleet/operator"
        ),
    ),
    (
        "a queue that does not answer",
        with_queue(LOG, verdict=ObjectVerdict.SILENT),
        Level.PROBLEM,
        "queues",
        "1 queue does not answer, though the node does: coordinator.log",
        (
            "restart the node that leads it: `rabbitmq-queues quorum_status --vhost fleet"
            " coordinator.log` there names it"
        ),
    ),
    (
        "private broker away",
        replace(
            HEALTHY,
            broker="Connection refused",
            management="Connection refused",
            address=replace(HEALTHY.address, private=Path("/data/rabbitmq")),
        ),
        Level.PROBLEM,
        "broker",
        "The private RabbitMQ of /data/rabbitmq cannot be used: Connection refused",
        "start it: `coordinator up`",
    ),
    (
        "too old",
        replace(with_broker(version="3.9.29"), management=replace_management()),
        Level.PROBLEM,
        "version",
        "RabbitMQ 3.9.29 is too old: its quorum queues lose what they dead-letter",
        "update it to 3.10 or later",
    ),
    (
        "defects",
        with_broker(version="4.0.2"),
        Level.WARNING,
        "version",
        (
            "RabbitMQ 4.0.2 has known defects: an agent with a user of its own can publish in another"
            " agent's name"
        ),
        "update it to 4.0.3 or later",
    ),
    (
        "unknown version",
        replace(
            with_broker(version="next"),
            address=replace(HEALTHY.address, consumer_timeout=timedelta(8)),
        ),
        Level.WARNING,
        "version",
        "The broker calls itself RabbitMQ next, which is no version that is known here",
        "use RabbitMQ 3.10 or later",
    ),
    (
        "part of the management API withheld",
        with_management(nodes=None),
        Level.WARNING,
        "management",
        "The user operator may not read, of the management API: nodes",
        "rabbitmqctl set_user_tags operator monitoring policymaker",
    ),
    (
        "memory alarm",
        with_node(memory_alarm=True),
        Level.PROBLEM,
        "memory",
        "rabbit@one has its memory alarm on: nobody can publish, agents neither",
        "add memory, or run `rabbitmqctl set_vm_memory_high_watermark 0.6` there",
    ),
    (
        "little memory",
        with_node(memory_used=3_500_000_000),
        Level.WARNING,
        "memory",
        "rabbit@one uses 3.5 GB of 4 GB before its alarm",
        "add memory, or run `rabbitmqctl set_vm_memory_high_watermark 0.6` there",
    ),
    (
        "disk alarm",
        with_node(disk_alarm=True),
        Level.PROBLEM,
        "broker-disk",
        "rabbit@one has its disk alarm on: nobody can publish, agents neither",
        "free disk space there",
    ),
    (
        "little disk",
        with_node(disk_free=3_000_000_000),
        Level.WARNING,
        "broker-disk",
        "rabbit@one has 3 GB of disk left; its alarm is at 2 GB",
        "free disk space there",
    ),
    (
        "late disk alarm",
        with_node(disk_limit=50_000_000),
        Level.WARNING,
        "broker-disk",
        "rabbit@one sounds its disk alarm only at 50 MB, which is too late",
        (
            "run `rabbitmqctl set_disk_free_limit 2GB` there, and set `disk_free_limit.absolute = 2GB`"
            " in rabbitmq.conf"
        ),
    ),
    (
        "few descriptors",
        with_node(descriptors_used=60_000),
        Level.WARNING,
        "descriptors",
        "rabbit@one has 60000 of 65536 file descriptors open",
        "raise LimitNOFILE of the rabbitmq-server unit",
    ),
    (
        "node down",
        with_node(running=False),
        Level.PROBLEM,
        "nodes",
        "The node rabbit@one is down",
        "start it: `rabbitmqctl start_app` there",
    ),
    (
        "partition",
        with_node(partitions=("rabbit@two",)),
        Level.PROBLEM,
        "nodes",
        "The node rabbit@one is cut off from rabbit@two",
        "mend the network, then run `rabbitmqctl stop_app && rabbitmqctl start_app` there",
    ),
    (
        "needed feature flag",
        with_management(flags=(FeatureFlag(name="stream_queue", enabled=False),)),
        Level.PROBLEM,
        "feature-flags",
        "Disabled, and needed for the queues of tasks: stream_queue",
        "rabbitmqctl enable_feature_flag all",
    ),
    (
        "other feature flag",
        with_management(flags=(FeatureFlag(name="user_limits", enabled=False),)),
        Level.WARNING,
        "feature-flags",
        "1 feature flag is disabled, which the next version will want: user_limits",
        "rabbitmqctl enable_feature_flag all",
    ),
    (
        "no coordinator was ever there",
        FRESH,
        Level.WARNING,
        "queues",
        "No coordinator has been connected to amqp://rabbit:5672/fleet yet",
        "start one: `coordinator up` or `coordinator serve`",
    ),
    (
        "other arguments",
        with_queue(SOURCE.queue, verdict=ObjectVerdict.DIFFERENT, told=REFUSAL, ready=2),
        Level.PROBLEM,
        "queues",
        (
            "The queue tasks.any.normal has x-delivery-limit none; it should be 20; deleting it loses"
            " the 2 messages in it"
        ),
        "curl -f -u operator -X DELETE http://rabbit:15672/api/queues/fleet/tasks.any.normal",
    ),
    (
        "other arguments, where the name of the virtual host is long",
        with_queue(SOURCE.queue, verdict=ObjectVerdict.DIFFERENT, told=cut_off("but current is")),
        Level.PROBLEM,
        "queues",
        "The queue tasks.any.normal has x-delivery-limit other than it should be",
        "curl -f -u operator -X DELETE http://rabbit:15672/api/queues/fleet/tasks.any.normal",
    ),
    (
        "other arguments, cut off within the value",
        with_queue(
            SOURCE.queue, verdict=ObjectVerdict.DIFFERENT, told=cut_off("but current is no")
        ),
        Level.PROBLEM,
        "queues",
        "The queue tasks.any.normal has x-delivery-limit other than it should be",
        "curl -f -u operator -X DELETE http://rabbit:15672/api/queues/fleet/tasks.any.normal",
    ),
    (
        "other arguments, cut off early",
        with_queue(SOURCE.queue, verdict=ObjectVerdict.DIFFERENT, told=cut_off("received the va")),
        Level.PROBLEM,
        "queues",
        "The queue tasks.any.normal has x-delivery-limit other than it should be",
        "curl -f -u operator -X DELETE http://rabbit:15672/api/queues/fleet/tasks.any.normal",
    ),
    (
        "exchange of another kind",
        with_broker(
            exchanges=(
                ObjectState(
                    name=TASKS,
                    verdict=ObjectVerdict.DIFFERENT,
                    told="inequivalent arg 'type' for exchange 'coordinator.tasks' in vhost '/':"
                    " received 'topic' but current is 'fanout' (while declaring)",
                ),
            )
        ),
        Level.PROBLEM,
        "queues",
        "The exchange coordinator.tasks has type fanout; it should be topic",
        "curl -f -u operator -X DELETE http://rabbit:15672/api/exchanges/fleet/coordinator.tasks",
    ),
    (
        "no permission",
        with_queue(LOG, verdict=ObjectVerdict.REFUSED, told="ACCESS_REFUSED"),
        Level.PROBLEM,
        "permissions",
        "This user may not declare coordinator.log: ACCESS_REFUSED",
        "rabbitmqctl set_permissions --vhost fleet operator '.*' '.*' '.*'",
    ),
    (
        "the log is gone",
        with_queue(LOG, verdict=ObjectVerdict.MISSING),
        Level.PROBLEM,
        "queues",
        "Missing, of those that everything needs: coordinator.log",
        "restart the coordinator (`coordinator up` or `coordinator serve`): it declares them anew",
    ),
    (
        "a queue of tasks is gone",
        with_queue(SOURCE.queue, verdict=ObjectVerdict.MISSING),
        Level.PROBLEM,
        "queues",
        "Missing, of those that the ledger knows: tasks.any.normal",
        "restart the coordinator (`coordinator up` or `coordinator serve`): it declares them anew",
    ),
    (
        "a binding is gone",
        with_management(
            bindings=frozenset(
                one for one in HEALTHY.management.bindings or () if one.target != SOURCE.queue
            )
        ),
        Level.PROBLEM,
        "bindings",
        "Not bound: tasks.any.normal to its exchange",
        "restart the coordinator (`coordinator up` or `coordinator serve`): it declares them anew",
    ),
    (
        "unknown queue of another kind",
        listed(ListedQueue(name="tasks.other.low", arguments={}, ready=1)),
        Level.PROBLEM,
        "unknown-queues",
        (
            "The queue tasks.other.low has other arguments than a coordinator gives it: tasks for it"
            " are refused; deleting it loses the 1 message in it"
        ),
        "curl -f -u operator -X DELETE http://rabbit:15672/api/queues/fleet/tasks.other.low",
    ),
    (
        "unknown empty queue",
        listed(ListedQueue(name="tasks.other.low")),
        Level.WARNING,
        "unknown-queues",
        "The ledger does not know the queue tasks.other.low, so no agent is told of it",
        "curl -f -u operator -X DELETE http://rabbit:15672/api/queues/fleet/tasks.other.low",
    ),
    (
        "unknown queue with tasks",
        listed(ListedQueue(name="tasks.other.low", ready=3)),
        Level.PROBLEM,
        "unknown-queues",
        (
            "The ledger does not know the queue tasks.other.low, so no agent is told of it; it holds 3"
            " messages"
        ),
        "submit a task with the same requirements and priority: that opens it for agents",
    ),
    (
        "unknown queue whose opening may be in the log",
        replace(
            listed(ListedQueue(name="tasks.other.low", ready=3)),
            broker=with_queue(LOG, ready=1).broker,
        ),
        Level.WARNING,
        "unknown-queues",
        (
            "The ledger does not know the queue tasks.other.low, so no agent is told of it yet; the log"
            " may still hold its opening"
        ),
        "look again when the log is empty",
    ),
    (
        "member offline",
        listed(ListedQueue(name="coordinator.x", members=("a", "b", "c"), online=("a", "b"))),
        Level.WARNING,
        "members",
        "Members of 1 queue are not online: coordinator.x",
        "start the nodes that are down: `rabbitmqctl cluster_status` names them",
    ),
    (
        "too few members",
        with_management(
            nodes=tuple(NodeFacts(name=name) for name in "abc"),
            queues=(ListedQueue(name=LOG, members=("a",), online=("a",)),),
        ),
        Level.WARNING,
        "members",
        "1 queue has fewer than three members: coordinator.log",
        "rabbitmq-queues grow <node> all --vhost-pattern '^fleet$'",
    ),
    (
        "length limit",
        policies(
            Policy(
                name="short", pattern="^coordinator", definition={"max-length": 100}, priority=20
            )
        ),
        Level.PROBLEM,
        "policies",
        (
            "The policy short gives coordinator.log and others max-length 100: a full queue refuses a"
            " task that the log has taken"
        ),
        "curl -f -u operator -X DELETE http://rabbit:15672/api/policies/fleet/short",
    ),
    (
        "operator policy",
        policies(
            Policy(
                name="ops",
                pattern="^coordinator.log$",
                definition={"delivery-limit": 20},
                operator=True,
            )
        ),
        Level.PROBLEM,
        "policies",
        (
            "The operator policy ops gives coordinator.log delivery-limit 20: what it returns more"
            " often, as when a coordinator stops, is dropped"
        ),
        "curl -f -u operator -X DELETE http://rabbit:15672/api/operator-policies/fleet/ops",
    ),
    (
        "low delivery limit",
        policies(
            Policy(
                name="few",
                pattern=r"^tasks\.",
                definition={"delivery-limit": 2, "consumer-timeout": 8 * DAY},
                priority=1,
            )
        ),
        Level.PROBLEM,
        "policies",
        (
            "The policy few gives tasks.any.normal delivery-limit 2: a task whose agents lose their"
            " connection that often is given up"
        ),
        "curl -f -u operator -X DELETE http://rabbit:15672/api/policies/fleet/few",
    ),
    (
        "consumer timeout of a day",
        timeout(DAY),
        Level.WARNING,
        "consumer-timeout",
        "The broker takes a task away from its agent after 24 h; one may ask for 7 days",
        (
            "curl -f -u operator -X PUT -H 'Content-Type: application/json' -d "
            """'{"pattern": "^tasks\\\\.", "apply-to": "queues", "priority": 10, """
            """"definition": {"consumer-timeout": 691200000}}' """
            "http://rabbit:15672/api/policies/fleet/agent-coordinator-tasks"
        ),
    ),
    (
        "overdue for a while",
        with_state(overdue=2, overdue_for=timedelta(minutes=2)),
        Level.WARNING,
        "outbox",
        "2 attempts are overdue, the first for 2 min",
        (
            "start a coordinator: `coordinator up` or `coordinator serve`; where one runs, its own log"
            " says why it cannot publish them"
        ),
    ),
    (
        "overdue for long",
        with_state(overdue=1, overdue_for=timedelta(hours=3)),
        Level.PROBLEM,
        "outbox",
        "1 attempt is overdue, the first for 3 h",
        (
            "start a coordinator: `coordinator up` or `coordinator serve`; where one runs, its own log"
            " says why it cannot publish them"
        ),
    ),
    (
        "one wrong clock",
        with_state(wrong_clocks=(WrongClock(agent_id="ada", ahead=timedelta(seconds=-19.9)),)),
        Level.WARNING,
        "clocks",
        "The clock of 1 agent differs from the coordinator's by more than 2 s: ada is 19.9 s behind",
        NTP,
    ),
    (
        "several wrong clocks",
        with_state(
            wrong_clocks=(
                WrongClock(agent_id="ada", ahead=timedelta(hours=3)),
                WrongClock(agent_id="bob", ahead=timedelta(seconds=5)),
            )
        ),
        Level.WARNING,
        "clocks",
        (
            "The clocks of 2 agents differ from the coordinator's by more than 2 s: ada is 3 h ahead,"
            " bob is 5 s ahead"
        ),
        NTP,
    ),
    (
        "parked",
        with_state(
            parking=ParkingSummary(count=3, latest="MalformedMessage: not\nJSON", latest_at=NOW)
        ),
        Level.WARNING,
        "parked",
        "3 messages could not be read and are parked; the latest: MalformedMessage: not JSON",
        "look at them and at who sent them: `curl http://localhost:9001/parked`",
    ),
    (
        "schedules that cannot run",
        with_state(
            failing=FailingSchedules(count=2, first="nightly", why="timezone 'X'\nis not known")
        ),
        Level.WARNING,
        "schedules",
        "2 schedules could not run at the last tick; the first, 'nightly': timezone 'X' is not known",
        (
            "look at `last_error`: `curl http://localhost:9001/schedules`; what cannot be run is"
            " deleted and made anew"
        ),
    ),
    (
        "rows of queues that nobody can read",
        with_state(unreadable_task_queues=1),
        Level.WARNING,
        "ledger",
        "1 row of its table sources cannot be read and is left out",
        "make the table anew from the events: coordinator rebuild",
    ),
    (
        "no reader, nothing to read",
        with_queue(LOG, consumers=0),
        Level.WARNING,
        "log",
        "No coordinator reads the log",
        "start one: `coordinator up` or `coordinator serve`",
    ),
    (
        "no reader, and work for one",
        with_queue(LOG, consumers=0, ready=12_000),
        Level.PROBLEM,
        "log",
        (
            "No coordinator reads the log: 12 000 messages of the log are not folded; what is folded"
            " ends 5 min ago"
        ),
        "start one: `coordinator up` or `coordinator serve`",
    ),
    (
        "a log that costs its readers the connection",
        replace(
            with_state(stuck=(UndeliverableQueue(queue=LOG, since=NOW - timedelta(minutes=7)),)),
            broker=with_queue(LOG, consumers=0, ready=12).broker,
        ),
        Level.PROBLEM,
        "log",
        (
            "The broker ends the connection whenever coordinator.log is read: it cannot deliver a"
            " message at the head of it, says a coordinator since 7 min; 12 messages wait there"
        ),
        WHAT_TO_DO,
    ),
    (
        "deep log",
        with_queue(LOG, ready=12_000),
        Level.WARNING,
        "log",
        "12 000 messages of the log are not folded; what is folded ends 5 min ago",
        "wait, and look again: where it does not shrink, read the coordinator's own log",
    ),
    (
        "unrouted",
        with_queue(UNROUTED, ready=1),
        Level.WARNING,
        "log",
        (
            "coordinator.unrouted holds 1 message (tasks without a queue) that a coordinator should"
            " have taken"
        ),
        "look again; where it stays, read the coordinator's own log",
    ),
    (
        "requests",
        with_queue(REQUESTS, ready=2),
        Level.WARNING,
        "log",
        (
            "coordinator.requests holds 2 messages (requests of agents) that a coordinator should have"
            " taken"
        ),
        "look again; where it stays, read the coordinator's own log",
    ),
    (
        "no ledger",
        replace(HEALTHY, ledger=LedgerFacts(location="/data/ledger.sqlite3")),
        Level.WARNING,
        "ledger",
        "There is no ledger yet at /data/ledger.sqlite3",
        (
            "start a coordinator: `coordinator up` or `coordinator serve`, which makes it; or name"
            " another with --data-dir or COORDINATOR_DATABASE_URL"
        ),
    ),
    (
        "ledger away",
        replace(HEALTHY, ledger=LedgerFacts(location="postgresql://db/x", trouble="refused")),
        Level.PROBLEM,
        "ledger",
        "The ledger postgresql://db/x cannot be read: refused",
        "put it right, or name another with --data-dir or COORDINATOR_DATABASE_URL",
    ),
    (
        "full disk",
        with_state(free=50_000_000),
        Level.PROBLEM,
        "disk",
        "50 MB are left on the disk of /data/ledger.sqlite3",
        "free disk space, or move the data folder: COORDINATOR_DATA_DIR",
    ),
]


@pytest.mark.parametrize(
    ("facts", "level", "check", "text", "fix"),
    [row[1:] for row in SPOILT],
    ids=[row[0] for row in SPOILT],
)
def test_what_is_wrong_is_told_with_its_fix(
    facts: Facts, level: Level, check: str, text: str, fix: str
) -> None:
    found = [one for one in told(facts) if one.check == check and one.text == text]
    assert found == [Finding(level=level, check=check, text=text, fix=fix)]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(row[1], row[3], id=row[0])
        for row in SPOILT
        if row[0]
        not in {
            "no coordinator was ever there",  # and so nobody reads the log
            "unknown queue whose opening may be in the log",
            "exchange of another kind",
            "too old",  # and its consumer timeout cannot be read
            "part of the management API withheld",
        }
    ],
)
def test_one_fault_is_told_once(facts: Facts, expected: str) -> None:
    assert [one.check for one in told(facts)] == [expected]


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (timeout(8 * DAY), Level.OK),
        (timeout(DAY), Level.WARNING),
        (timeout(1_800_000), Level.PROBLEM),
        (timeout(1_800_000, operator=True), Level.PROBLEM),
        (with_management(policies=()), Level.WARNING),
        (with_management(policies=None), Level.WARNING),
        (replace(HEALTHY, management="refused"), Level.WARNING),
        (timeout(8 * DAY, version="3.10.8"), Level.WARNING),
        (
            replace(
                with_management(policies=()),
                address=replace(HEALTHY.address, consumer_timeout=timedelta(days=8)),
            ),
            Level.OK,
        ),
    ],
)
def test_the_consumer_timeout_is_compared_with_the_longest_task(facts: Facts, level: Level) -> None:
    [finding] = [one for one in diagnose(facts) if one.check == "consumer-timeout"]
    assert finding.level is level


@pytest.mark.parametrize(
    "permissions",
    [
        Permissions(),  # nothing is known of who is known elsewhere, and is let in
        Permissions(configure=".*", write=".*", read=".*"),
        Permissions(configure=".*", write="(?<!x", read=".*"),
    ],
)
def test_permissions_that_suffice_or_cannot_be_judged_are_no_problem(
    permissions: Permissions,
) -> None:
    assert told(with_management(has_vhost=True, permissions=permissions)) == []


def test_an_old_broker_is_told_the_line_of_its_configuration() -> None:
    found = told(timeout(8 * DAY, version="3.10.12"))
    fixes = {one.check: one.fix for one in found}
    assert fixes["consumer-timeout"] == (
        "set `consumer_timeout = 691200000` in rabbitmq.conf and restart the node"
    )


def test_without_the_management_api_the_rest_is_looked_at_all_the_same() -> None:
    facts = replace(
        with_queue(SOURCE.queue, verdict=ObjectVerdict.DIFFERENT, told=REFUSAL),
        management="no answer",
    )
    found = {one.check: one for one in told(facts)}
    assert "no answer" in found["management"].text
    assert found["management"].level is Level.WARNING
    assert found["queues"].fix == "rabbitmqctl delete_queue --vhost fleet tasks.any.normal"
    assert found["consumer-timeout"].fix == (
        "rabbitmqctl set_policy --vhost fleet --apply-to queues --priority 10"
        """ agent-coordinator-tasks '^tasks\\.' '{"consumer-timeout": 691200000}'"""
    )


@pytest.mark.parametrize(("version", "level"), [(-1, Level.WARNING), (1, Level.PROBLEM)])
def test_a_ledger_of_another_version_is_not_read_any_further(version: int, level: Level) -> None:
    state = HEALTHY.ledger.state
    assert state is not None
    facts = with_state(schema_version=state.schema_version + version, task_queues=None)
    found = [one for one in diagnose(facts) if one.check in {"ledger", "parked", "outbox"}]
    assert [(one.check, one.level) for one in found] == [("ledger", level)]


def test_no_finding_carries_the_password() -> None:
    everything = [one for row in SPOILT for one in diagnose(row[1])]
    assert not [one for one in everything if "hunter2" in f"{one.text}{one.fix}"]
    assert "hunter2" not in repr(HEALTHY)
    assert not [one for one in everything if "\n" in f"{one.text}{one.fix}"]


def test_callbacks_that_are_dead_or_overdue_are_told_with_what_to_do() -> None:
    trouble = CallbackTrouble(
        dead=2, why="The receiver answered 500", overdue=1, overdue_for=timedelta(hours=1)
    )
    overdue, dead = told(with_state(callbacks=trouble))
    assert overdue.text == "1 callback is overdue, the first for 60 min"
    assert "COORDINATOR_CALLBACK_SECRETS_DIR" in (overdue.fix or "")
    assert dead.text == "2 callbacks are dead; the latest: The receiver answered 500"
    assert "/callbacks/redrive" in (dead.fix or "")

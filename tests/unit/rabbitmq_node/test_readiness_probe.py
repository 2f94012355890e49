"""Why a node did not start, from what nodes really print."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.rabbitmq_node.readiness_probe import (
    OTHER_VERSION,
    PORT_TAKEN,
    amqp_version,
    reason_of_failure,
)

PORT = """
BOOT FAILED
===========
Error during startup: {error,
                       {could_not_start_listener,"127.0.0.1",36100,
                               {listen_error,
                                {acceptor,{127,0,0,1},36100},
                                eaddrinuse}}}
"""
BOOT = """
BOOT FAILED
===========
Error during startup: {error,no_such_plugin}

Crash dump is being written to: erl_crash.dump...done
"""
UPGRADE = """
2026-11-28 18:15:27.5+00:00 [error] <0.217.0> Feature flags: `stream_single_active_consumer`: required \
feature flag not enabled! It must be enabled before upgrading RabbitMQ.
BOOT FAILED
===========
Error during startup: {error,failed_to_initialize_feature_flags_registry}
"""
LATER_UPGRADE = """
Error during startup: {error,
                          {failed_to_initialize_feature_flags_registry,
                              {disabled_required_feature_flag,
                                  restart_streams}}}
"""
DOWNGRADE = """
Error during startup: {error,
                          {schema_integrity_check_failed,
                              [{table_missing,rabbit_listener}]}}
"""
NO_DISTRIBUTION_PORT = """
2026-11-29 09:52:18.5+00:00 [error] <0.145.0>
2026-11-29 09:52:18.5+00:00 [error] <0.145.0> BOOT FAILED
2026-11-29 09:52:18.5+00:00 [error] <0.145.0> ===========
2026-11-29 09:52:18.5+00:00 [error] <0.145.0> ERROR: could not bind to distribution port 31418 on host here.
2026-11-29 09:52:18.5+00:00 [error] <0.145.0>\x20
2026-11-29 09:52:19.6+00:00 [error] <0.145.0> reason: {dist_port_already_used,31418,not_erlang,"localhost"}
"""
PREFIXED = """
2026-11-29 09:52:18.5+00:00 [error] <0.145.0>\x20
2026-11-29 09:52:18.5+00:00 [error] <0.145.0> BOOT FAILED
2026-11-29 09:52:18.5+00:00 [error] <0.145.0> ===========
2026-11-29 09:52:18.5+00:00 [error] <0.145.0> ERROR: no host is called so
2026-11-29 09:52:18.5+00:00 [error] <0.145.0>\x20
"""
MANY_LINES = """
BOOT FAILED
===========
Error during startup: {error,
                       {rabbitmq_management,
                        {bad_return,no}}}

{exit,{3371,{error,another}}}
"""
EXCEPTION = (
    """
2026-11-29 09:54:43.3+00:00 [error] <0.144.0>     errorContext: start_error
BOOT FAILED
===========
Exception during startup:

error:{badmatch,{error,nodistribution}}

    rabbit_prelaunch_dist:setup/1, line 21
2026-11-29 09:54:44.3+00:00 [error] <0.132.0>   crasher:
"""
    + "2026-11-29 09:54:44.3+00:00 [error] <0.132.0>     links: [<0.129.0>]\n" * 90
)
ONLY_PREFIXES = "2026-11-29 09:52:18.5+00:00 [error] <0.145.0> \n" * 2
TITLE = "\x1b]2;node: core_started\x07 \x1b]2;node: stopped\x07"


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (PORT, PORT_TAKEN),
        (BOOT, "Error during startup: {error,no_such_plugin}"),
        ("erl: not found\n", "erl: not found"),
        ("", "it said nothing"),
        (TITLE, "it said nothing"),
        (UPGRADE, OTHER_VERSION),
        (LATER_UPGRADE, OTHER_VERSION),
        (DOWNGRADE, OTHER_VERSION),
        (NO_DISTRIBUTION_PORT, PORT_TAKEN),
        (PREFIXED, "ERROR: no host is called so"),
        (MANY_LINES, "Error during startup: {error, {rabbitmq_management, {bad_return,no}}}"),
        (EXCEPTION, "Exception during startup: error:{badmatch,{error,nodistribution}}"),
        (ONLY_PREFIXES, "it said nothing"),
    ],
)
def test_the_reason_is_one_line_of_what_was_printed(
    tmp_path: Path, printed: str, reason: str
) -> None:
    output = tmp_path / "output.txt"
    output.write_text(printed)
    assert reason_of_failure(output, tmp_path / "missing.log") == reason


def test_the_log_is_asked_where_nothing_was_printed(tmp_path: Path) -> None:
    log = tmp_path / "node.log"
    log.write_text("2026-11-23 23:47:00.1+00:00 [error] <0.1.0> the disk is on fire\n")
    assert reason_of_failure(tmp_path / "missing", log) == "the disk is on fire"


async def test_no_version_where_nobody_listens(unused_tcp_port: int) -> None:
    assert await amqp_version(unused_tcp_port) is None

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

"""Settings come from the environment, and a wrong one is named in one line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coordinator.errors import OperatorError
from coordinator.settings import ENV_PREFIX, Settings, load


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{ENV_PREFIX}{name.upper()}", raising=False)


def test_without_any_environment_there_are_defaults() -> None:
    settings = load()
    assert settings.http_port == 9001
    assert settings.stale_after == timedelta(seconds=60)
    assert settings.remove_after == timedelta(hours=1)
    assert settings.amqp_url is None


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_HTTP_PORT", "9100")
    assert load().http_port == 9100
    assert load(http_port=9200).http_port == 9200
    assert load(http_port=None).http_port == 9100


@pytest.mark.parametrize("text", ["90", "90.0", "PT90S", "00:01:30"])
def test_a_duration_may_be_plain_seconds(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_STALE_AFTER", text)
    assert load().stale_after == timedelta(seconds=90)


@pytest.mark.parametrize(("text", "kept"), [("0", None), ("60", timedelta(minutes=1))])
def test_tasks_are_kept_for_a_while_or_for_ever(
    text: str, kept: timedelta | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COORDINATOR_KEEP_ENDED_FOR", text)
    assert load().keep_ended_for == kept


def test_tasks_are_not_kept_for_too_short_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_KEEP_DEAD_FOR", "59")
    with pytest.raises(OperatorError, match=r"KEEP_DEAD_FOR=59 is not valid: .* 0 for ever"):
        load()


@pytest.mark.parametrize(("given", "unnamed_for"), [(0, 0), (20, 30), (31, 31)])
def test_an_attempt_is_not_lost_before_three_heartbeats(given: int, unnamed_for: int) -> None:
    settings = load(attempt_lost_after=given, heartbeat_interval=10)
    assert settings.unnamed_for == timedelta(seconds=unnamed_for)


def test_names_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_EXTRA_AGENT_TYPES", "planner, critic,")
    assert load().extra_agent_types == ("planner", "critic")


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("amqp://user:secret@broker/\n")
    monkeypatch.setenv("COORDINATOR_AMQP_URL_FILE", str(file))
    assert load().amqp_url == "amqp://user:secret@broker/"


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_SECRET_FILE", "/nowhere/secret")
    with pytest.raises(OperatorError, match="COORDINATOR_SECRET_FILE names /nowhere/secret"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PORT", "99999"),
        ("HTTP_PORT", "high"),
        ("STALE_AFTER", "-1"),
        ("STALE_AFTER", "soon"),
        ("LOG_LEVEL", "loud"),
        ("MAX_LANES", "0"),
        ("AMQP_URL", "http://broker"),
        ("MANAGEMENT_URL", "amqp://broker"),
        ("MANAGEMENT_URL", "http://:15672"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"COORDINATOR_{name}", value)
    with pytest.raises(OperatorError) as caught:
        load()
    assert f"COORDINATOR_{name}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_address_of_the_broker_is_told_with_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(OperatorError, match=r"^--amqp-url is not valid: the broker's address does"):
        load(amqp_url="localhost:5672")
    with pytest.raises(OperatorError, match=r"^--amqp-url is not valid: .* is empty"):
        load(amqp_url="")
    file = tmp_path / "url"
    file.write_text("amqp://user:hunter2@broker:x/\n")
    monkeypatch.setenv("COORDINATOR_AMQP_URL_FILE", str(file))
    with pytest.raises(OperatorError, match=r"^COORDINATOR_AMQP_URL_FILE is .* port") as caught:
        load()
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("COORDINATOR_AMQP_URL_FILE")
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "amqp://broker/?hartbeat=3")
    with pytest.raises(OperatorError, match=r"^COORDINATOR_AMQP_URL is .* hartbeat, which is not"):
        load()


def test_a_user_without_a_home_is_asked_for_a_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_home(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(OperatorError, match=r"no home .* COORDINATOR_DATA_DIR"):
        load()
    assert load(data_dir=tmp_path).data_dir == tmp_path


def test_no_password_is_told_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "ftp://user:hunter2@broker")
    with pytest.raises(OperatorError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("COORDINATOR_AMQP_URL")
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", "http://user:hunter2/x@broker:15672")
    with pytest.raises(OperatorError) as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_the_ledger_is_in_the_data_folder_unless_a_database_is_named(tmp_path: Path) -> None:
    assert load(data_dir=tmp_path).ledger_place == tmp_path / "ledger.sqlite3"
    assert load(database_url="sqlite:////x").ledger_place == "sqlite:////x"

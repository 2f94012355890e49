"""Settings come from the environment, and a wrong one is named in one line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from coordinator.environment import ENV_PREFIX
from coordinator.errors import OperatorError
from coordinator.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{ENV_PREFIX}{name.upper()}", raising=False)


def test_without_any_environment_there_are_defaults() -> None:
    settings = load_settings()
    assert settings.http_port == 9001
    assert settings.stale_after == timedelta(seconds=60)
    assert settings.remove_after == timedelta(hours=1)
    assert settings.amqp_url is None


def test_what_is_given_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_HTTP_PORT", "9100")
    assert load_settings().http_port == 9100
    assert load_settings(http_port=9200).http_port == 9200
    assert load_settings(http_port=None).http_port == 9100


@pytest.mark.parametrize("text", ["90", "90.0", "PT90S", "00:01:30"])
def test_a_duration_may_be_plain_seconds(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_STALE_AFTER", text)
    assert load_settings().stale_after == timedelta(seconds=90)


@pytest.mark.parametrize(("text", "kept"), [("0", None), ("60", timedelta(minutes=1))])
def test_tasks_are_kept_for_a_while_or_for_ever(
    text: str, kept: timedelta | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COORDINATOR_KEEP_ENDED_FOR", text)
    assert load_settings().keep_ended_for == kept


def test_tasks_are_not_kept_for_too_short_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_KEEP_DEAD_FOR", "59")
    with pytest.raises(OperatorError, match=r"KEEP_DEAD_FOR=59 is not valid: .* 0 for ever"):
        load_settings()


@pytest.mark.parametrize(("given", "unnamed_for"), [(0, 0), (20, 30), (31, 31)])
def test_an_attempt_is_not_lost_before_three_heartbeats(given: int, unnamed_for: int) -> None:
    settings = load_settings(attempt_lost_after=given, heartbeat_interval=10)
    assert settings.unnamed_for == timedelta(seconds=unnamed_for)


def test_names_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_EXTRA_AGENT_TYPES", "planner, critic,")
    assert load_settings().extra_agent_types == ("planner", "critic")


def test_a_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("amqp://user:secret@broker/\n")
    monkeypatch.setenv("COORDINATOR_AMQP_URL_FILE", str(file))
    assert load_settings().amqp_url == "amqp://user:secret@broker/"


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_SECRET_FILE", "/nowhere/secret")
    with pytest.raises(OperatorError, match="COORDINATOR_SECRET_FILE names /nowhere/secret"):
        load_settings()


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
        load_settings()
    assert f"COORDINATOR_{name}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_address_of_the_broker_is_told_with_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(OperatorError, match=r"^--amqp-url is not valid: the broker's address does"):
        load_settings(amqp_url="localhost:5672")
    with pytest.raises(OperatorError, match=r"^--amqp-url is not valid: .* is empty"):
        load_settings(amqp_url="")
    file = tmp_path / "url"
    file.write_text("amqp://user:hunter2@broker:x/\n")
    monkeypatch.setenv("COORDINATOR_AMQP_URL_FILE", str(file))
    with pytest.raises(OperatorError, match=r"^COORDINATOR_AMQP_URL_FILE is .* port") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("COORDINATOR_AMQP_URL_FILE")
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "amqp://broker/?hartbeat=3")
    with pytest.raises(OperatorError, match=r"^COORDINATOR_AMQP_URL is .* hartbeat, which is not"):
        load_settings()


def test_a_user_without_a_home_is_asked_for_a_data_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_home(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(OperatorError, match=r"no home .* COORDINATOR_DATA_DIR"):
        load_settings()
    assert load_settings(data_dir=tmp_path).data_dir == tmp_path


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.parametrize("text", ["", " ", '""'])
def test_an_empty_variable_counts_as_not_set(
    name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{ENV_PREFIX}{name.upper()}", text)
    assert load_settings() == Settings()


@pytest.mark.parametrize("host", ["::1", "[::1]", " ::1 "])
def test_an_ipv6_address_to_listen_on_may_be_in_brackets(host: str) -> None:
    assert load_settings(http_host=host).http_host == "::1"


@pytest.mark.parametrize("level", ["warn", "WARN", "Warning", " WARNING ", '"warning"'])
def test_a_level_is_taken_as_others_write_it(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_LOG_LEVEL", level)
    monkeypatch.setenv("COORDINATOR_LOG_FORMAT", "'JSON'")
    assert load_settings().log_level == "warning"
    assert load_settings().log_format == "json"


def test_quotes_of_an_env_file_are_taken_off_but_those_of_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COORDINATOR_HTTP_PORT", '"9100"')
    monkeypatch.setenv("COORDINATOR_STALE_AFTER", "'90'")
    monkeypatch.setenv("COORDINATOR_AMQP_URL", '"amqp://broker/"')
    monkeypatch.setenv("COORDINATOR_SECRET", '"a key of long ago"')
    settings = load_settings()
    assert settings.http_port == 9100
    assert settings.stale_after == timedelta(seconds=90)
    assert settings.amqp_url == "amqp://broker/"
    assert settings.secret == '"a key of long ago"'


def test_the_case_of_a_variable_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("coordinator_http_port", "9100")
    assert load_settings().http_port == 9100
    monkeypatch.setenv("COORDINATOR_HTTP_PORT", "9200")
    assert load_settings().http_port == 9200


def test_the_home_is_put_for_a_tilde_wherever_it_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings(data_dir="~/kept").data_dir == tmp_path / "kept"
    monkeypatch.setenv("COORDINATOR_DATA_DIR", "~")
    assert load_settings().data_dir == tmp_path
    with pytest.raises(OperatorError, match=r"^--data-dir=~nobody-here is .* no such home"):
        load_settings(data_dir="~nobody-here")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"http_port": "x"}, "--port=x is not valid: give a whole number"),
        ({"http_port": ""}, "--port= is not valid: give a whole number"),
        ({"http_port": "65536"}, "--port=65536 is not valid: give 65535 or less"),
        ({"http_workers": "0"}, "--workers=0 is not valid: give 1 or more"),
        ({"http_workers": "1.5"}, "--workers=1.5 is not valid: give a whole number"),
        ({"http_host": ""}, "--host= is not valid: it is empty"),
        ({"data_dir": ""}, "--data-dir= is not valid: it is empty"),
        ({"amqp_url": "localhost:5672"}, "--amqp-url is not valid: the broker's address"),
    ],
)
def test_a_wrong_option_is_named_as_it_was_given(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(OperatorError) as told:
        load_settings(**given)
    assert str(told.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("STALE_AFTER", "nan", "give seconds"),
        ("STALE_AFTER", "inf", "give seconds"),
        ("STALE_AFTER", "1e300", "a hundred years at most"),
        ("STALE_AFTER", "P1000000D", "a hundred years at most"),
        ("KEEP_DEAD_FOR", "1e11", "a hundred years at most"),
        ("STALE_AFTER", "soon", "give seconds, such as 90"),
        ("RECONCILE_AFTER", "-1", "give 0 seconds or more"),
        ("STALE_AFTER", "0", "give more than 0 seconds"),
        ("LOG_LEVEL", "loud", "give 'debug', 'info', 'warning' or 'error'"),
        ("SECRET", "short", "give 16 characters or more"),
        ("MAX_LANES", "1\nx", r"COORDINATOR_MAX_LANES=1\nx is not valid"),
        ("MAX_LANES", "9" * 5000, "give a whole number"),
        ("METADATA_KEYS", "a,b,c,d,e,f,g,h,i", "give up to 8 keys that tasks can be found by"),
        ("METADATA_KEYS", "a=b", "a=b is no key that can be searched for"),
        ("DATABASE_URL", "ledger.sqlite3", "the database's address is postgresql://"),
    ],
)
def test_an_error_says_what_to_give_in_one_line_of_our_own(
    name: str, value: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"COORDINATOR_{name}", value)
    with pytest.raises(OperatorError) as told:
        load_settings()
    sentence = str(told.value)
    assert advice in sentence
    assert len(sentence) < 300
    assert "\n" not in sentence
    assert "Value error" not in sentence
    assert "Input should" not in sentence


CONTRADICTIONS: list[tuple[dict[str, str], str]] = [
    ({"stale_after": "10"}, "STALE_AFTER (10) must be greater than COORDINATOR_HEARTBEAT_INTERVAL"),
    ({"heartbeat_interval": "70"}, "STALE_AFTER (60) must be greater than COORDINATOR_HEARTBEAT"),
    ({"remove_after": "60"}, "REMOVE_AFTER (60) must be greater than COORDINATOR_STALE_AFTER (60)"),
    ({"stale_after": "7200"}, "REMOVE_AFTER (3600) must be greater than COORDINATOR_STALE_AFTER"),
    (
        {"snapshot_interval": "3600"},
        "REMOVE_AFTER (3600) must be greater than COORDINATOR_SNAPSHOT",
    ),
    (
        {"idempotency_retention": "19"},
        "RETENTION (19) must be twice as long as COORDINATOR_PUBLISH",
    ),
    (
        {"max_batch_bytes": "1048575"},
        "MAX_BATCH_BYTES (1048575) must be no less than COORDINATOR_MAX",
    ),
    (
        {"max_message_bytes": "1048575"},
        "MAX_MESSAGE_BYTES (1048575) must be no less than COORDINATOR_MAX_BODY",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), CONTRADICTIONS)
def test_settings_that_contradict_each_other_are_refused_by_both_their_names(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"COORDINATOR_{name.upper()}", value)
    with pytest.raises(OperatorError) as told:
        load_settings()
    assert str(told.value).startswith("COORDINATOR_")
    assert sentence in str(told.value)


def test_settings_at_the_edge_of_a_contradiction_are_taken() -> None:
    load_settings(
        heartbeat_interval=10,
        stale_after=10.1,
        remove_after=10.2,
        snapshot_interval=10,
        publish_timeout=10,
        idempotency_retention=20,
        max_body_bytes=2048,
        max_batch_bytes=2048,
        max_message_bytes=2048,
    )


def test_the_largest_message_is_twice_the_largest_body_where_that_is_more_than_16_mebibytes() -> (
    None
):
    mebibyte = 1024**2
    assert load_settings().message_limit == 16 * mebibyte
    large = {"max_body_bytes": 10 * mebibyte}
    assert load_settings(**large).message_limit == 20 * mebibyte
    assert load_settings(**large, max_message_bytes=11 * mebibyte).message_limit == 11 * mebibyte


def test_no_password_is_told_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "ftp://user:hunter2@broker")
    with pytest.raises(OperatorError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    monkeypatch.delenv("COORDINATOR_AMQP_URL")
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", "http://user:hunter2/x@broker:15672")
    with pytest.raises(OperatorError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("COORDINATOR_MANAGEMENT_URL", "http://user:12/hunter2@broker:15672")
    with pytest.raises(OperatorError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_the_ledger_is_in_the_data_folder_unless_a_database_is_named(tmp_path: Path) -> None:
    assert load_settings(data_dir=tmp_path).ledger_place == tmp_path / "ledger.sqlite3"
    assert load_settings(database_url="sqlite:////x").ledger_place == "sqlite:////x"


def test_eight_keys_of_metadata_may_be_named_and_one_that_comes_twice_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COORDINATOR_METADATA_KEYS", "h, g,f,e,d,c,b,a,a")
    assert load_settings().metadata_keys == tuple("abcdefgh")

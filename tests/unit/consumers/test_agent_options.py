"""What an author gives an agent, and what it is told where that is of another kind than meant."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent
from consumers.__main__ import main
from consumers._link.registration_cache import RegistrationCache
from consumers.agent_options import DEFAULT_AMQP_URL, with_hint_of_address
from coordinator.errors import BrokerRefused, BrokerTooOld, InvalidRequest, OperatorError
from coordinator.protocol.messages.registration import RegisterReply

LISTS = ("capabilities", "services", "tags")

WRONG: list[tuple[dict[str, Any], str]] = [
    *(({name: "gpu"}, f"{name} must be a list: write {name}=['gpu']") for name in LISTS),
    *(({name: "gpu, cuda"}, f"write {name}=['gpu', 'cuda']") for name in LISTS),
    *(
        ({name: b"gpu"}, f"{name} must be a list of strings, and not of type bytes")
        for name in LISTS
    ),
    *(({name: {"gpu": 1}}, f"{name} must be a list of strings, and not of type") for name in LISTS),
    *(({name: 7}, f"{name} must be a list of strings, and not of type int") for name in LISTS),
    *(({name: None}, f"{name} must be a list of strings, and not None") for name in LISTS),
    *(({name: ["gpu", 7]}, f"{name} must hold strings only, and 7 is of type") for name in LISTS),
    *(({name: [b"gpu"]}, f"{name} must hold strings only") for name in LISTS),
    *(({name: [None]}, f"{name} must hold strings only, and None is None") for name in LISTS),
    ({"endpoints": "http://here"}, "endpoints must be a dict, and not of type str"),
    ({"endpoints": [("a", "b")]}, "endpoints must be a dict, and not of type list"),
    ({"endpoints": ""}, "endpoints must be a dict"),
    ({"endpoints": {"a": 1}}, "endpoints must have strings as keys and as values, and 1 is"),
    ({"metadata": "x"}, "metadata must be a dict, and not of type str"),
    ({"metadata": []}, "metadata must be a dict, and not of type list"),
    ({"metadata": {1: "x"}}, "metadata cannot be told as JSON"),
    ({"metadata": {"a": "x" * 16_377}}, "metadata has 16385 bytes as JSON; at most 16384"),
    ({"slots": True}, "slots must be a whole number, and not of type bool"),
    ({"slots": "4"}, "slots must be a whole number, and not of type str"),
    ({"slots": 2.5}, "slots must be a whole number, and not of type float"),
    ({"slots": None}, "slots must be a whole number, and not None"),
    ({"slots": 1001}, "slots must be 1 to 1000"),
    ({"cancel_grace": 10}, "cancel_grace must be a timedelta, and not of type int"),
    ({"cancel_grace": None}, "cancel_grace must be a timedelta, and not None"),
    ({"cancel_grace": timedelta(seconds=-1)}, "cancel_grace must not be negative"),
    ({"max_result_bytes": "1 MB"}, "max_result_bytes must be a whole number"),
    ({"max_result_bytes": 0}, "max_result_bytes must be 1 or more"),
    ({"max_result_bytes": True}, "max_result_bytes must be a whole number"),
    ({"version": 2}, 'version must be a string, and not of type int: write version="2"'),
    ({"artifacts": 7}, 'artifacts must be a string, and not of type int: write artifacts="7"'),
    ({"version": None}, "version must be a string, and not None"),
    ({"cache_dir": 7}, "cache_dir must be the path of a folder"),
    ({"cache_dir": ""}, "cache_dir must be the path of a folder"),
    ({"cache_dir": b"x"}, "cache_dir must be the path of a folder"),
    ({"agent_type": 7}, "the type of an agent must be a string"),
    ({"on_lost_connection": ["finish"]}, "on_lost_connection must be"),
]


@pytest.mark.parametrize(("options", "sentence"), WRONG)
def test_an_argument_of_another_kind_is_refused_with_a_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    (field,) = options
    with pytest.raises(InvalidRequest, match=re.escape(sentence)) as made:
        Agent("a", **options)
    assert made.value.field == field
    if options[field] is not None:  # for an argument of `Agent` that has no value
        with pytest.raises(InvalidRequest, match=re.escape(sentence)):
            Agent("a").configure(**options)


def test_any_several_strings_will_do() -> None:
    for given in (["a", "b"], ("a", "b"), (name for name in "ab"), {"a": 1, "b": 2}.keys()):
        assert Agent("x", capabilities=given).options.capabilities == ("a", "b")
    agent = Agent("x")
    agent.configure(capabilities=["a"], tags=["t"], cache_dir="here", metadata={"k": [1]})
    assert agent.options.capabilities == ("a",)
    assert agent.options.tags == ("t",)
    assert agent.options.cache_dir == Path("here")


# --- where the broker is ----------------------------------------------------------------------


def test_a_wrong_address_is_told_with_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "localhost:5672")
    with pytest.raises(OperatorError, match="address in COORDINATOR_AMQP_URL does not begin"):
        Agent("a").options.broker_url()
    for empty in ("", " "):
        with pytest.raises(OperatorError, match="address in the argument amqp_url is empty"):
            Agent("a", amqp_url=empty).options.broker_url()


@pytest.mark.parametrize("empty", ["", " ", '""'])
def test_an_empty_address_in_the_environment_counts_as_not_set(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", empty)
    assert Agent("a").options.broker_url() == DEFAULT_AMQP_URL


def test_an_address_may_be_in_quotes_or_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COORDINATOR_AMQP_URL", '"amqp://quoted/"')
    assert Agent("a").options.broker_url() == "amqp://quoted/"
    file = tmp_path / "url"
    file.write_text("amqp://filed/\n")
    monkeypatch.setenv("COORDINATOR_AMQP_URL", "")
    monkeypatch.setenv("COORDINATOR_AMQP_URL_FILE", str(file))
    assert Agent("a").options.broker_url() == "amqp://filed/"
    file.write_text("localhost:5672")
    with pytest.raises(OperatorError, match="address in COORDINATOR_AMQP_URL_FILE does not begin"):
        Agent("a").options.broker_url()


def test_where_no_address_is_given_a_variable_that_is_spelt_alike_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("COORDINATOR_AMQP_URL", raising=False)
    monkeypatch.setenv("COORDINATOR_AMPQ_URL", "amqp://elsewhere/")
    monkeypatch.setenv("COORDINATOR_DATABASE_URL", "postgresql://host")
    assert Agent("a").options.broker_url() == DEFAULT_AMQP_URL
    assert caplog.messages == ["COORDINATOR_AMPQ_URL is not read: was COORDINATOR_AMQP_URL meant?"]


def test_where_no_store_is_named_a_variable_that_is_spelt_alike_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("COORDINATOR_ARTIFACTS", raising=False)
    monkeypatch.setenv("COORDINATOR_ARTEFACTS", "file:///srv")
    assert Agent("a").options.artifact_store() is None
    assert caplog.messages == [
        "COORDINATOR_ARTEFACTS is not read: was COORDINATOR_ARTIFACTS meant?"
    ]


def test_without_an_address_it_is_told_where_and_as_whom_the_agent_connects(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for variable in ("COORDINATOR_AMQP_URL", "COORDINATOR_AMQP_URL_FILE"):
        monkeypatch.delenv(variable, raising=False)
    with caplog.at_level("INFO", logger="consumers"):
        Agent("a", amqp_url="amqp://there/").options.broker_url()
        assert caplog.messages == []
        Agent("a").options.broker_url()
    assert caplog.messages == [
        "no address of a broker is given: connecting to the one on this machine as guest"
    ]


def test_who_gave_no_address_and_is_refused_is_told_how_to_give_one() -> None:
    refused = BrokerRefused("The broker refuses this user or password")
    told = with_hint_of_address(refused, DEFAULT_AMQP_URL)
    assert type(told) is BrokerRefused
    assert "COORDINATOR_AMQP_URL_FILE, which `coordinator agents add ID --to FILE`" in str(told)
    assert with_hint_of_address(refused, "amqp://ada:pw@127.0.0.1:5672") is refused
    old = BrokerTooOld()
    assert with_hint_of_address(old, DEFAULT_AMQP_URL) is old


AGENT = """
from consumers import Agent
agent = Agent("a"{more})
agent.default(lambda task: None)
"""


@pytest.mark.parametrize(
    ("more", "environment", "options", "origin"),
    [
        ("", "", ["--amqp-url", "user:se5ret@host:5672"], "--amqp-url"),
        ("", "", ["--amqp-url", ""], "--amqp-url"),
        ("", "amqp://user:se5ret@host:x/", [], "COORDINATOR_AMQP_URL"),
        (', amqp_url="http://user:se5ret@host"', "", [], "the argument amqp_url"),
    ],
)
def test_the_command_ends_with_one_line_and_not_with_zero(
    more: str,
    environment: str,
    options: list[str],
    origin: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "the_agent.py"
    file.write_text(AGENT.format(more=more))
    monkeypatch.delenv("COORDINATOR_AMQP_URL", raising=False)
    if environment:
        monkeypatch.setenv("COORDINATOR_AMQP_URL", environment)
    assert main([str(file), *options]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: The broker's address in {origin} ")
    assert told.count("\n") == 1
    assert "se5" not in told


# --- a user without a home --------------------------------------------------------------------


def test_an_agent_whose_user_has_no_home_does_without_the_cache(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    options = Agent("a").options
    assert options.cache_folder() is None
    cache = RegistrationCache(options.cache_folder(), options.profile(), amqp_url="amqp://host/")
    assert cache.load() is None
    cache.save(RegisterReply(sources=[]))
    (told,) = caplog.messages
    assert "this user has no home" in told


def test_a_cache_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "no folder"
    file.touch()
    cache = RegistrationCache(file, Agent("a").options.profile(), amqp_url="amqp://host/")
    assert cache.load() is None
    for _ in range(3):
        cache.save(RegisterReply(sources=[]))
    assert len(caplog.messages) == 1

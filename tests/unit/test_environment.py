"""Variables are read the same way everywhere: an empty one is none, and quotes around a value are not
meant.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.environment import secret_of, value_of
from coordinator.errors import OperatorError


@pytest.mark.parametrize("text", ["", " ", "\t", '""', "''", '" "'])
def test_an_empty_variable_counts_as_not_set(text: str) -> None:
    assert value_of("A", {"A": text}) is None
    assert value_of("A", {}) is None
    assert secret_of("A", {"A": text, "A_FILE": text}) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"9001"', "9001"),
        ("'x y'", "x y"),
        ('"', '"'),
        ("\"x'", "\"x'"),
        ("x", "x"),
        ('a"b"', 'a"b"'),
    ],
)
def test_quotes_that_enclose_a_value_are_taken_off(text: str, value: str) -> None:
    assert value_of("A", {"A": text}) == value


def test_a_key_is_left_as_it_is() -> None:
    assert value_of("A", {"A": '"key"'}, with_quotes=True) == '"key"'


def test_a_secret_comes_from_the_variable_or_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    found = secret_of("A", {"A_FILE": str(file)})
    assert found is not None
    assert (found.name, found.value) == ("A_FILE", "from the file")
    found = secret_of("A", {"A": "here", "A_FILE": ""})
    assert found is not None
    assert (found.name, found.value) == ("A", "here")
    with pytest.raises(OperatorError, match="A and A_FILE are both set"):
        secret_of("A", {"A": "here", "A_FILE": str(file)})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xb5\xff\x00", "which is no text"),
        (b"", "which is empty"),
        (b" \n", "which is empty"),
        (b"x" * 70_000, "too large"),
    ],
)
def test_a_file_that_holds_no_secret_is_told_in_one_line(
    content: bytes, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(OperatorError, match=f"^A_FILE names {file}, .*{words}") as told:
        secret_of("A", {"A_FILE": str(file)})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("path", "words"), [("/", "Is a directory"), ("~nobody-here/x", "no such home")]
)
def test_a_file_that_cannot_be_read_is_told_with_the_reason(path: str, words: str) -> None:
    with pytest.raises(OperatorError, match=f"A_FILE names {path}, .*{words}"):
        secret_of("A", {"A_FILE": path})


def test_a_file_may_be_below_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "secret").write_text("kept at home")
    found = secret_of("A", {"A_FILE": "~/secret"})
    assert found is not None
    assert found.value == "kept at home"

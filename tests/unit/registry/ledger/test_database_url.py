"""Where the ledger is: a file is that file whatever its name, and a broken address is one line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.errors import OperatorError
from coordinator.registry.ledger.database_url import parse
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_inspection import examine
from coordinator.settings import load_settings

NAMES = ["what?", "a?b=c", "100%", "a%20b", "a%3Fb", "a b", "#1", "file:x", "ä", ":memory:", "~"]


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


@pytest.mark.parametrize("name", NAMES)
async def test_the_ledger_is_in_the_data_folder_whatever_its_name(
    name: str, tmp_path: Path
) -> None:
    folder = tmp_path / name
    place = load_settings(data_dir=folder).ledger_place
    async with Ledger(place) as ledger:
        await ledger.secret()
    assert names_in(tmp_path) == [name]
    assert "ledger.sqlite3" in names_in(folder)
    found = examine(place, datetime.now(UTC))
    assert found.state is not None
    assert found.location == str(folder / "ledger.sqlite3")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory&uri=true", "means nothing here"),
        ("sqlite:////folder/a?b/ledger.sqlite3", "COORDINATOR_DATA_DIR instead"),
        ("sqlite:////folder/a?b=c", "COORDINATOR_DATA_DIR instead"),
        ("sqlite:///~nobody-here/x", "no home"),
        ("postgresql://user:se5ret@host:x/name", "no number from 1 to 65535"),
        ("postgresql://user:se5ret@host:0/name", "no number from 1 to 65535"),
        ("postgresql://user:se5ret@host:65536/name", "no number from 1 to 65535"),
        ("postgresql://user:se5ret@::1:5432/name", "in brackets"),
        ("postgresql://user:se5ret@[::1/name", "in brackets"),
        ("mysql://user:se5ret@host/name", "cannot be in 'mysql'"),
        ("se5ret://host", "a database of this kind"),
        ("postgresql://user:12@se5ret@host/name", "write @ as %40"),
        ("postgresql://user:12?x@se5ret@host/name", "write @ as %40"),
    ],
)
def test_a_broken_address_is_one_line_without_the_password(url: str, words: str) -> None:
    with pytest.raises(OperatorError, match="COORDINATOR_DATABASE_URL") as told:
        parse(url)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert "5ret" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host",
        "postgresql://",
        "postgres://user:p%40ss@[::1]:5432/name?sslmode=require",
        "postgresql:///name?host=/run/postgresql",
        "sqlite:///ledger.sqlite3",
        "sqlite:////folder/100%/ledger.sqlite3?timeout=30",
    ],
)
def test_a_good_address_is_taken(url: str) -> None:
    assert parse(url).get_backend_name() in ("postgresql", "sqlite")


def test_the_home_is_put_for_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse("sqlite:///~/x").database == str(tmp_path / "x")


async def test_a_data_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(
        OperatorError, match=f"^The data folder {file} cannot be made: it is a file"
    ):
        async with Ledger(file / "ledger.sqlite3"):
            pass
    with pytest.raises(OperatorError, match=r"cannot be made: Not a directory.*--data-dir"):
        async with Ledger(file / "more" / "ledger.sqlite3"):
            pass


async def test_a_name_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 300) / "ledger.sqlite3"
    with pytest.raises(OperatorError, match=r"cannot be made: File name too long.*--data-dir"):
        async with Ledger(place):
            pass
    assert "File name too long" in str(examine(place, datetime.now(UTC)).trouble)


def test_the_doctor_is_told_that_the_data_folder_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    found = examine(file / "ledger.sqlite3", datetime.now(UTC))
    assert found.trouble == f"{file} is a file, and no folder"


async def test_a_folder_in_which_nothing_may_be_written_is_one_line() -> None:
    with pytest.raises(
        OperatorError, match=r"/proc/sys/ledger.sqlite3 cannot be written: .*--data-dir"
    ):
        async with Ledger(Path("/proc/sys/ledger.sqlite3")):
            pass

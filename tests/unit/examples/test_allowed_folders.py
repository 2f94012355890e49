"""A path from a task leads into the allowed folders or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.examples.allowed_folders import (
    AllowedFolders,
    ForbiddenPath,
    default_folders,
    files_in,
)


@pytest.fixture
def places(tmp_path: Path) -> AllowedFolders:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "a.txt").write_text("a")
    (tmp_path / "secret.txt").write_text("s")
    (tmp_path / "in" / "leak").symlink_to(tmp_path / "secret.txt")
    return AllowedFolders({"docs": tmp_path / "in"})


def test_a_path_begins_with_the_name_of_a_place(places: AllowedFolders) -> None:
    found = places.resolve("docs/deep/a.txt")

    assert found.read_text() == "a"
    assert places.name_of(found) == "docs/deep/a.txt"


def test_a_place_itself_is_a_folder(places: AllowedFolders) -> None:
    assert places.resolve("docs").is_dir()


def test_an_absolute_path_is_taken_where_it_lies_in_a_place(
    places: AllowedFolders, tmp_path: Path
) -> None:
    assert places.resolve(str(tmp_path / "in" / "deep" / "a.txt")).name == "a.txt"


@pytest.mark.parametrize(
    "path",
    ["docs/../secret.txt", "/etc/passwd", "../secret.txt", "docs/leak", "other/a.txt", "~/x"],
)
def test_a_path_that_leads_out_is_refused(places: AllowedFolders, path: str) -> None:
    with pytest.raises(ForbiddenPath, match="docs"):
        places.resolve(path)


@pytest.mark.parametrize("path", [None, 3, "", ["docs"], "docs/\0"])
def test_what_is_not_a_path_is_refused(places: AllowedFolders, path: object) -> None:
    with pytest.raises(ForbiddenPath, match="must be a string"):
        places.resolve(path)


def test_a_missing_file_is_named_as_it_was_asked_for(places: AllowedFolders) -> None:
    with pytest.raises(FileNotFoundError, match=r"docs/no\.txt"):
        places.resolve("docs/no.txt")


def test_the_library_and_the_files_of_python_are_always_there() -> None:
    places = default_folders({})

    assert places.resolve("library/on-queues.md").is_file()
    assert places.resolve("python/this.py").is_file()


def test_the_environment_adds_places(tmp_path: Path) -> None:
    places = default_folders({"EXAMPLE_PLACES": f"mine={tmp_path}"})

    assert places.resolve("mine") == tmp_path.resolve()


def test_files_are_listed_by_name_and_without_links(places: AllowedFolders) -> None:
    found = [path.name for path in files_in(places.resolve("docs"))]

    assert found == ["a.txt"]

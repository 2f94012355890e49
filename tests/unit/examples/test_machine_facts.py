"""Facts about the machine, from files of a known content."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.examples.machine import machine_facts


def test_the_system_is_named_as_its_release_file_says(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('PRETTY_NAME="Test OS 9"\nID=test\nVERSION_ID="9"\n')

    found = machine_facts.operating_system(release)

    assert (found["name"], found["id"], found["version"]) == ("Test OS 9", "test", "9")


def test_without_a_release_file_python_names_the_system(tmp_path: Path) -> None:
    found = machine_facts.operating_system(tmp_path / "none")

    assert found["name"]
    assert found["id"] is None


def test_memory_is_told_in_bytes(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    250 kB\n")

    assert machine_facts.memory(meminfo) == {
        "total_bytes": 1_024_000,
        "available_bytes": 256_000,
        "used_percent": 75.0,
    }


def test_a_machine_that_does_not_tell_its_memory_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not tell"):
        machine_facts.memory(tmp_path / "none")


def test_how_busy_it_is_is_the_part_of_the_time_in_which_processors_worked(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3\n")
    before = machine_facts.processor_time(stat)
    stat.write_text("cpu  140 0 60 830 70 0 0 0 0 0\n")

    assert (before.total, before.idle) == (1000, 850)
    assert machine_facts.busy(before, machine_facts.processor_time(stat)) == {"busy_percent": 50.0}
    assert machine_facts.busy(before, before) == {"busy_percent": 0.0}
    with pytest.raises(FileNotFoundError, match="does not tell"):
        machine_facts.processor_time(tmp_path / "none")


def test_load_and_space_are_measured_here(tmp_path: Path) -> None:
    assert machine_facts.load()["minutes_1"] >= 0
    assert 0 <= machine_facts.space(tmp_path)["used_percent"] <= 100

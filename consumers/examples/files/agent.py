"""The archivist reads files as streams: checksums, types, sizes and duplicates.

Its handlers are plain functions, so they run in threads and block neither heartbeats nor other
tasks; a thread cannot be interrupted, so they look now and then whether the task was cancelled.
"""

from __future__ import annotations

from typing import Any

from consumers import Agent, Discard, Task
from consumers.examples.allowed_folders import default_folders, files_in
from consumers.examples.task_inputs import folder_in, number_in, path_in

from . import folder_inventory
from .file_contents import checksums

agent = Agent(
    "archivist",
    agent_type="worker",
    capabilities=["data-processing", "checksums"],
    services=["task-execution", "files"],
    slots=4,
    tags=["example"],
)


@agent.task("checksum")
def checksum(task: Task) -> dict[str, Any]:
    path = path_in(task)
    if not path.is_file():
        raise Discard(f"{task.data['path']!r} is a folder; a file is needed")
    algorithms = task.data.get("algorithms", ["sha256"])
    if not isinstance(algorithms, list):
        raise Discard("algorithms must be a list, such as ['sha256', 'md5']")
    size = path.stat().st_size
    read = 0

    def told(block: int) -> None:
        nonlocal read
        read += block
        _tell(task, min(read / size, 1.0), f"{read} of {size} bytes")

    try:
        found = checksums(path, algorithms, told=told)
    except ValueError as exc:
        raise Discard(str(exc)) from exc
    return folder_inventory.describe(path, default_folders().name_of(path)) | {"checksums": found}


@agent.task("describe")
def describe(task: Task) -> dict[str, Any]:
    path = path_in(task)
    if not path.is_file():
        raise Discard(f"{task.data['path']!r} is a folder: ask for its inventory")
    return folder_inventory.describe(path, default_folders().name_of(path))


@agent.task("inventory")
def inventory(task: Task) -> dict[str, Any]:
    return folder_inventory.inventory(
        files_in(folder_in(task)), lambda fraction, words: _tell(task, fraction, words)
    )


@agent.task("duplicates")
def duplicates(task: Task) -> dict[str, Any]:
    smallest = number_in(task, "smallest", default=1, least=0, most=1 << 40)
    return folder_inventory.duplicates(
        files_in(folder_in(task)),
        lambda fraction, words: _tell(task, fraction, words),
        smallest=smallest,
        name_of=default_folders().name_of,
    )


def _tell(task: Task, fraction: float, words: str) -> None:
    if task.cancelled:
        raise Discard("stopped, because the task was cancelled")
    task.progress(fraction, words)

"""Reads task data with care: a mistake in it ends the task with a sentence, not a traceback."""

from __future__ import annotations

from pathlib import Path

from consumers import Discard, Task

from .allowed_folders import ForbiddenPath, default_folders

__all__ = ["decoded", "folder_in", "number_in", "path_in"]


def path_in(task: Task, key: str = "path") -> Path:
    """The file or folder that the task names. Raises `Discard`."""
    try:
        return default_folders().resolve(task.data.get(key))
    except (ForbiddenPath, FileNotFoundError) as exc:
        raise Discard(f"{key}: {exc}") from exc


def folder_in(task: Task, key: str = "path") -> Path:
    """The folder that the task names. Raises `Discard`."""
    path = path_in(task, key)
    if not path.is_dir():
        raise Discard(f"{key}: {task.data.get(key)!r} is a file; a folder is needed")
    return path


def decoded(path: Path) -> str:
    """The text of a file. Raises `Discard` for a folder, or a file that is not text."""
    if not path.is_file():
        raise Discard(f"{path.name!r} is a folder; a file is needed")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise Discard(f"{path.name!r} is not a text in UTF-8") from exc


def number_in(task: Task, key: str, *, default: int, least: int, most: int) -> int:
    """A whole number that the task may name. Raises `Discard`."""
    value = task.data.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Discard(f"{key} must be a whole number from {least} to {most}, not {value!r}")
    return value

"""Prints events and partial output as they come, a line each."""

from __future__ import annotations

import json

from coordinator.client import (
    EventsMissing,
    OutputChunks,
    OutputMissing,
    StreamedEvent,
    StreamReset,
    TaskEnded,
    TaskStreamItem,
)

from .cell_texts import as_json, one_line
from .printer import Printer, json_line

__all__ = ["EventPrinter"]

TASK_EVENT = 20
"""Columns of the type of an event."""


class EventPrinter:
    """Prints one stream. Texts that a task says follow each other; what else is told begins a line."""

    def __init__(self, printer: Printer, *, subjects: bool) -> None:
        """``subjects``: whether each event names its task or agent."""
        self._printer = printer
        self._subjects = subjects
        self._within_line = False

    def print(self, item: TaskStreamItem) -> None:
        """One item. In JSON each is an object with its ``kind``."""
        if self._printer.json:
            if not isinstance(item, TaskEnded):
                self._printer.document(_tagged(item))
            return
        if isinstance(item, OutputChunks):
            self._say(item)
            return
        self.end_line()
        match item:
            case StreamedEvent():
                self._printer.line(self._event(item), style=_style(item))
            case EventsMissing() | StreamReset():
                self._printer.note(item.detail or "Some events are not known any more.")
            case OutputMissing():
                self._printer.note("Some of what the task has said is not known any more.")

    def end_line(self) -> None:
        """What is printed next begins a line of its own."""
        if self._within_line:
            self._printer.piece("\n")
            self._within_line = False

    def _say(self, item: OutputChunks) -> None:
        for chunk in item.chunks:
            if isinstance(chunk, str):
                self._printer.piece(chunk)
                self._within_line = not chunk.endswith("\n") if chunk else self._within_line
            else:
                self.end_line()
                self._printer.line(as_json(chunk))

    def _event(self, event: StreamedEvent) -> str:
        clock = "--:--:--" if event.time is None else event.time.astimezone().strftime("%H:%M:%S")
        parts = [clock, event.type.ljust(TASK_EVENT)]
        if self._subjects:
            parts.append(event.subject or "")
        return one_line("  ".join([*parts, _details(event)]).rstrip())


def _details(event: StreamedEvent) -> str:
    data = event.data
    told: list[str] = []
    if (agent := data.get("agent_id")) and agent != event.subject:
        told.append(str(agent))
    if event.type.startswith("task.") and event.type != "task.submitted" and data.get("attempt"):
        told.append(f"attempt {data['attempt']}")
    if event.type == "task.submitted":
        told.append(str(data.get("priority", "")))
    if isinstance(fraction := data.get("fraction"), int | float):
        told.append(f"{fraction:.0%}")
    words = (data.get(name) for name in ("status", "message", "reason"))
    told += [word for word in words if isinstance(word, str)]
    if isinstance(error := data.get("error"), dict):
        told.append(f"{error.get('type')}: {error.get('message')}")
    return ", ".join(one for one in told if one)


def _style(event: StreamedEvent) -> str:
    styles = {"completed": "green", "failed": "red", "cancelled": "yellow", "expired": "red"}
    return styles.get(event.type.rpartition(".")[2], "")


def _tagged(item: TaskStreamItem) -> dict[str, object]:
    """Such as `{"kind": "event", …}`: a script tells them apart by it."""
    kinds = {
        "StreamedEvent": "event",
        "EventsMissing": "events-missing",
        "StreamReset": "stream-reset",
        "OutputStarted": "output-started",
        "OutputChunks": "output",
        "OutputMissing": "output-missing",
        "OutputEnded": "output-ended",
    }
    fields: dict[str, object] = json.loads(json_line(item))
    return {"kind": kinds[type(item).__name__], **fields}

"""The librarian measures and summarises texts."""

from __future__ import annotations

import asyncio
from typing import Any

from consumers import Agent, Discard, Task
from consumers.examples.allowed_folders import default_folders, files_in
from consumers.examples.task_inputs import decoded, folder_in, number_in, path_in

from . import keywords_and_summary, text_statistics
from .text_splitting import title

agent = Agent(
    "librarian",
    agent_type="worker",
    capabilities=["data-processing", "analysis", "text-analysis"],
    services=["task-execution", "documents"],
    slots=4,
    tags=["example"],
)


@agent.task("word-count")
def word_count(task: Task) -> dict[str, Any]:
    return text_statistics.word_count(_text_of(task))


@agent.task("readability")
def readability(task: Task) -> dict[str, Any]:
    try:
        return text_statistics.readability(_text_of(task))
    except ValueError as exc:
        raise Discard(str(exc)) from exc


@agent.task("keywords")
def keywords(task: Task) -> dict[str, Any]:
    """What sets a document apart from its neighbours in the same folder."""
    count = number_in(task, "count", default=10, least=1, most=100)
    text = _text_of(task)
    others = []
    if "path" in task.data:
        path = path_in(task)
        others = [decoded(other) for other in sorted(path.parent.glob("*.md")) if other != path]
    return {"keywords": keywords_and_summary.keywords(text, others, count), "beside": len(others)}


@agent.task("summary")
def summary(task: Task) -> dict[str, Any]:
    count = number_in(task, "sentences", default=3, least=1, most=50)
    text = _text_of(task)
    return {"title": title(text), "summary": keywords_and_summary.summary(text, count)}


@agent.task("survey")
def survey(task: Task) -> dict[str, Any]:
    """Every document of a folder, with its size, its ease and what it is about."""
    folder = folder_in(task)
    texts = {path: decoded(path) for path in files_in(folder) if path.suffix in {".md", ".txt"}}
    if not texts:
        raise Discard(f"There are no documents (.md, .txt) in {task.data['path']!r}")
    found: list[dict[str, Any]] = []
    for path, text in texts.items():
        others = [other for place, other in texts.items() if place != path]
        found.append(
            {
                "path": default_folders().name_of(path),
                "title": title(text),
                "words": text_statistics.word_count(text)["words"],
                "flesch_reading_ease": text_statistics.readability(text)["flesch_reading_ease"],
                "keywords": list(keywords_and_summary.keywords(text, others, 5)),
            }
        )
        task.progress(len(found) / len(texts), f"{len(found)} of {len(texts)} documents")
    return {"documents": found, "words": sum(one["words"] for one in found)}


@agent.task("read-aloud")
async def read_aloud(task: Task) -> dict[str, Any]:
    """Each word as it is read: whoever follows the task reads along."""
    pause = 1 / number_in(task, "words_per_second", default=20, least=1, most=10_000)
    words = _text_of(task).split()
    for word in words:
        await task.emit(f"{word} ")
        await asyncio.sleep(pause)
    return {"words": len(words)}


def _text_of(task: Task) -> str:
    """The `text` in the task itself, or that of the document which its `path` names."""
    text = task.data.get("text")
    if isinstance(text, str):
        return text
    if "path" not in task.data:
        raise Discard(
            "This task needs a text, or the path of a document such as library/on-queues.md"
        )
    return decoded(path_in(task))

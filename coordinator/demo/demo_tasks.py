"""Chooses the tasks of the demo: work for the agents in `consumers/examples`, in all five priorities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle, islice, repeat
from typing import Any

from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements

__all__ = ["Order", "Work", "mixed_batch"]

_DOCUMENTS = (
    "on-queues",
    "on-fleets",
    "on-clocks",
    "on-priorities",
    "on-failure",
    "the-signal-box",
)

_TEXT = Requirements(capabilities=("text-analysis",))
_ANALYST = Requirements(
    agent_type="worker", capabilities=("analysis", "data-processing"), services=("documents",)
)
_FILES = Requirements(services=("files",))
_CHECKSUMS = Requirements(capabilities=("checksums", "data-processing"))
_MONITOR = Requirements(agent_type="monitor", capabilities=("system-facts",))
_LIBRARIAN = Requirements(agent_id="librarian")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Describes one kind of work with its input."""

    label: str
    task_data: Mapping[str, Any]
    tell: Callable[[dict[str, Any]], str]
    """Called with the task's result; says it in a few words. Raises `KeyError`, `TypeError` or `IndexError`
    where that is not as it was to be."""
    requirements: Requirements = field(default_factory=Requirements)

    @property
    def asks(self) -> Requirements:
        """What an agent needs to do it: the requirements, and a handler for its type."""
        return replace(self.requirements, task_type=self.task_data.get("task_type"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Asks for one task: the work, and how urgent it is."""

    work: Work
    priority: Priority


def mixed_batch(count: int, possible: Callable[[Requirements], bool]) -> list[Order]:
    """Choose ``count`` tasks, the least urgent first, of the kinds of work whose `Work.asks` is ``possible``.

    The least urgent come first so that strict priority shows: what is submitted last and urgent
    overtakes what waits. For that, some of them wait: a part of the batch is for an agent that does one task
    after the other, and takes its time over each. Empty if no kind of work is possible.
    """
    kinds = [work for work in _catalogue() if possible(work.asks)]
    backlog = count * 3 // 8 if possible(_ONE_AFTER_THE_OTHER.asks) else 0
    works = [*islice(cycle(kinds), count - backlog), *repeat(_ONE_AFTER_THE_OTHER, backlog)]
    orders = [
        Order(work=work, priority=priority)
        for work, priority in zip(works, cycle(Priority), strict=False)
    ]
    return sorted(orders, key=lambda order: -order.priority.rank)


def _catalogue() -> Iterator[Work]:
    """Kinds of work, in an order that mixes requirements and priorities well."""
    texts = [kind(name) for name in _DOCUMENTS for kind in (_keywords, _readability, _summary)]
    rest = [work for pair in zip(_FILE_WORK, _OTHER_WORK, strict=True) for work in pair]
    for text, other in zip(texts, cycle(rest), strict=False):
        yield text
        yield other
    yield _LONG_WORK


def _short(values: Iterable[object], count: int) -> str:
    return ", ".join(str(value) for value in islice(values, count))


def _keywords(name: str) -> Work:
    return Work(
        label=f"keywords {name}",
        task_data={"task_type": "keywords", "path": f"library/{name}.md", "count": 6},
        requirements=_TEXT,
        tell=lambda result: _short(result["keywords"], 5),
    )


def _readability(name: str) -> Work:
    return Work(
        label=f"readability {name}",
        task_data={"task_type": "readability", "path": f"library/{name}.md"},
        requirements=_LIBRARIAN,
        tell=lambda result: (
            f"{result['verdict']}: Flesch {result['flesch_reading_ease']}, "
            f"{result['minutes_to_read']} min to read"
        ),
    )


def _summary(name: str) -> Work:
    return Work(
        label=f"summary {name}",
        task_data={"task_type": "summary", "path": f"library/{name}.md", "sentences": 1},
        requirements=_ANALYST,
        tell=lambda result: _short(result["summary"], 1),
    )


def _answer(result: dict[str, Any]) -> str:
    if "text" in result:
        return " ".join(str(result["text"]).split())
    return (
        f"by {result['answered_by']}: {result['words']} words about {_short(result['subject'], 3)}"
    )


_LONG_WORK = Work(
    label="duplicates python",
    task_data={"task_type": "duplicates", "path": "python", "smallest": 64},
    requirements=_FILES,
    tell=lambda result: f"{result['files']} files, {result['groups']} groups of equal ones",
)
"""Thousands of files: a second, more or less."""

_ONE_AFTER_THE_OTHER = Work(
    label="how busy it is",
    task_data={"task_type": "busy", "milliseconds": 200},
    requirements=_MONITOR,
    tell=lambda result: f"{result['busy_percent']} % of the processors, for a while",
)
"""For an agent with one slot."""

_FILE_WORK = (
    Work(
        label="checksum this.py",
        task_data={"task_type": "checksum", "path": "python/this.py", "algorithms": ["sha256"]},
        requirements=_CHECKSUMS,
        tell=lambda result: f"sha256 {result['checksums']['sha256'][:40]}…",
    ),
    Work(
        label="inventory python/email",
        task_data={"task_type": "inventory", "path": "python/email"},
        requirements=_FILES,
        tell=lambda result: f"{result['files']} files, {result['bytes']} bytes",
    ),
    Work(
        label="describe topics.py",
        task_data={"task_type": "describe", "path": "python/pydoc_data/topics.py"},
        requirements=_FILES,
        tell=lambda result: f"{result['media_type']}, {result['bytes']} bytes",
    ),
    Work(
        label="inventory library",
        task_data={"task_type": "inventory", "path": "library"},
        requirements=_FILES,
        tell=lambda result: f"{result['files']} files, largest {result['largest']}",
    ),
)

_OTHER_WORK = (
    Work(
        label="system facts",
        task_data={"task_type": "system-facts"},
        requirements=_MONITOR,
        tell=lambda result: f"{result['name']}, {result['processors']} processors",
    ),
    Work(
        label="prompt: queues",
        task_data={"model": "llama2", "prompt": "Why does one line serve two bakers better?"},
        tell=_answer,
    ),
    Work(
        label="disk space",
        task_data={"task_type": "disk-space", "path": "library"},
        requirements=_MONITOR,
        tell=lambda result: f"{result['used_percent']} % of {result['total_bytes'] >> 30} GiB used",
    ),
    Work(
        label="prompt: clocks",
        task_data={"model": "llama2", "prompt": "Name two kinds of clocks that a system has."},
        tell=_answer,
    ),
)

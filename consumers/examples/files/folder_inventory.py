"""Lists a folder: an inventory by type, and files with the same content."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .file_contents import checksums, media_type

__all__ = ["Told", "describe", "duplicates", "inventory"]

Told = Callable[[float, str], object]
"""Hears how far the work has come: a fraction from 0 to 1, and a few words."""

EVERY = 200
"""Files between two reports of progress."""


def describe(path: Path, name: str) -> dict[str, Any]:
    """Facts about one file, without its content."""
    facts = path.stat()
    return {
        "path": name,
        "bytes": facts.st_size,
        "media_type": media_type(path),
        "modified_at": datetime.fromtimestamp(facts.st_mtime, UTC).isoformat(timespec="seconds"),
        "permissions": oct(facts.st_mode & 0o777),
    }


def inventory(files: Iterable[Path], told: Told) -> dict[str, Any]:
    """How many files there are and how large, in total and by media type."""
    counted: Counter[str] = Counter()
    weighed: Counter[str] = Counter()
    largest: tuple[int, Path | None] = (0, None)
    unreadable = 0
    every = list(files)
    for position, path in enumerate(every, 1):
        try:
            size, kind = path.stat().st_size, media_type(path)
        except OSError:
            unreadable += 1
            continue
        counted[kind] += 1
        weighed[kind] += size
        largest = max(largest, (size, path), key=lambda found: found[0])
        if position % EVERY == 0:
            told(position / len(every), f"{position} of {len(every)} files")
    return {
        "files": sum(counted.values()),
        "bytes": sum(weighed.values()),
        "unreadable": unreadable,
        "largest": largest[1].name if largest[1] else None,
        "by_type": {
            kind: {"files": count, "bytes": weighed[kind]}
            for kind, count in counted.most_common(12)
        },
    }


def duplicates(
    files: Iterable[Path],
    told: Told,
    *,
    smallest: int = 1,
    name_of: Callable[[Path], str] = str,
) -> dict[str, Any]:
    """Groups of files with equal content, the costliest first; only files of equal size are read.

    ``smallest`` is in bytes; smaller files are left out. ``name_of`` says how a path is told.
    """
    by_size: dict[int, list[Path]] = defaultdict(list)
    unreadable = 0
    for path in files:
        try:
            size = path.stat().st_size
        except OSError:
            unreadable += 1
            continue
        if size >= smallest:
            by_size[size].append(path)
    suspects = [path for group in by_size.values() if len(group) > 1 for path in group]
    by_content: dict[tuple[int, str], list[Path]] = defaultdict(list)
    for position, path in enumerate(suspects, 1):
        try:
            digest = checksums(path)["sha256"]
        except OSError:
            unreadable += 1
            continue
        by_content[path.stat().st_size, digest].append(path)
        if position % EVERY == 0:
            told(position / len(suspects), f"{position} of {len(suspects)} suspects read")
    groups = [(key, same) for key, same in by_content.items() if len(same) > 1]
    groups.sort(key=lambda group: -group[0][0] * (len(group[1]) - 1))
    return {
        "files": sum(len(group) for group in by_size.values()),
        "read": len(suspects),
        "unreadable": unreadable,
        "groups": len(groups),
        "wasted_bytes": sum(size * (len(same) - 1) for (size, _), same in groups),
        "worst": [
            {"bytes": size, "sha256": digest, "copies": [name_of(path) for path in same[:10]]}
            for (size, digest), same in groups[:10]
        ],
    }

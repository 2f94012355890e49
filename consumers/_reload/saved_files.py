"""Watches folders for Python files that are saved, by the kernel's notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from watchfiles import PythonFilter, awatch

from coordinator.errors import OperatorError

__all__ = ["saved_files"]


async def saved_files(folders: Collection[Path], ends: asyncio.Event) -> AsyncIterator[set[Path]]:
    """Those that were saved at once, in ``folders`` or below, until it ``ends``. Nothing is missed from the
    first step on. Raises `OperatorError` where the kernel watches no more.
    """
    try:
        try:
            async for saved in _saved(folders, ends, pass_over=False):
                yield saved
        except PermissionError:  # of a folder below: nothing is imported from there
            async for saved in _saved(folders, ends, pass_over=True):
                yield saved
    except (OSError, RuntimeError) as exc:  # the latter is what watchfiles makes of some
        raise OperatorError(
            f"The folders of the agents cannot be watched: {exc}. With WATCHFILES_FORCE_POLLING=1 they are"
            " looked at again and again, without the kernel's help"
        ) from exc


async def _saved(
    folders: Collection[Path], ends: asyncio.Event, *, pass_over: bool
) -> AsyncIterator[set[Path]]:
    """With ``pass_over``, what cannot be watched is left out, whyever: also where the kernel watches no more,
    which is why this is not tried first.
    """
    async for changes in awatch(
        *folders,
        watch_filter=PythonFilter(),
        stop_event=ends,
        ignore_permission_denied=pass_over,
    ):
        yield {Path(path) for _, path in changes}

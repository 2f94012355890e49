"""Ends a program that has children the way Ctrl-C does, whoever asks and wherever it was started."""

from __future__ import annotations

import signal

__all__ = ["end_as_by_ctrl_c"]


def end_as_by_ctrl_c() -> None:
    """From now on SIGTERM does what SIGINT does: what runs is left by its context managers, and they
    end its processes. SIGINT itself is heard, also where a shell has started this in the background
    and told it to ignore it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))

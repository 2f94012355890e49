#!/usr/bin/env bash
# A SIGTERM while no event loop runs: asyncio's handler is called when the loop runs, uvloop's when the next signal comes.
#
# Seen with uvloop 0.23.0 (PyPI) on Linux, CPython 3.11.
#
# `loop.add_signal_handler(SIGTERM, stop)` replaces what would have ended the process. A worker that calls it before
# `run_forever()`, as many do, and is told to stop in between, notes the signal and goes on: with uvloop nothing looks at the
# note until another signal comes, and then both are one call. Seen from outside, a worker that is stopped while it starts
# goes on until somebody tells it again, or kills it. It is the same between two runs of one loop. asyncio's loop has the
# signal in its socket from the call on.
#
# Output when written:
#   asyncio: called before another signal yes, 1 time(s) in all; uvloop: called before another signal no, 1 time(s) in all
#
# Source: uvloop/loop.pyx: `_setup_or_resume_signals` makes the socket in `_run`, and `__sighandler` only adds to a set that
# `_invoke_signals` reads for a signal that came through the socket. Of this loss nothing was found; MagicStack/uvloop#295 and
# #296 are about Ctrl-C, which has no such handler.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check uvloop==0.23.0

"$work/venv/bin/python" - <<'PYTHON'
import asyncio
import os
import signal

import uvloop


def heard(loop):
    """Whether the handler was called in a second of running, and how often in all once a signal came meanwhile."""
    calls = []
    loop.add_signal_handler(signal.SIGTERM, calls.append, "called")
    os.kill(os.getpid(), signal.SIGTERM)
    loop.run_until_complete(asyncio.sleep(1))
    before = len(calls)
    if not before:
        loop.call_soon(os.kill, os.getpid(), signal.SIGTERM)
        loop.run_until_complete(asyncio.sleep(1))
    loop.close()
    return before, len(calls)


told = []
for name, loop in (("asyncio", asyncio.new_event_loop()), ("uvloop", uvloop.new_event_loop())):
    before, in_all = heard(loop)
    told.append(f"{name}: called before another signal {'yes' if before else 'no'}, {in_all} time(s) in all")
print("; ".join(told))
assert told == [
    "asyncio: called before another signal yes, 1 time(s) in all",
    "uvloop: called before another signal no, 1 time(s) in all",
], told
PYTHON

"""Forks of a process whose event loop hears signals: each in a process of its own, since forks of a test
run would be none of an agent.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import asyncio, concurrent.futures, multiprocessing, os, signal, sys, threading, time
if sys.argv[1] == "standard":
    sys.modules["uvloop"] = None
from consumers._process.event_loop import run_to_end

def told(number):
    print("told", number.name, flush=True)

def run(main):
    run_to_end(main, on_signal=told)
    print("the end", flush=True)

def ends_by(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""

# What a child does is decided before its signal is sent: it waits for it, and ends by it.
FORK = """
async def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        pid = os.fork()
        if not pid:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                os._exit(77)
            os._exit(1)
        os.kill(pid, number)  # perhaps before it has run a line
        print(ends_by(pid) in (-number, 77), flush=True)
    await asyncio.sleep(0.2)  # a turn of the loop, in which it would hear of a signal
run(main)
"""

POOL = """
def nap(seconds):
    time.sleep(seconds)

async def main():
    with multiprocessing.get_context("fork").Pool(3) as pool:
        try:
            pool.map_async(nap, [60] * 3).get(timeout=0.2)
        except multiprocessing.TimeoutError:
            print("too late", flush=True)
    process = multiprocessing.get_context("fork").Process(target=nap, args=(60,))
    process.start()
    process.terminate()
    process.join()
    print(process.exitcode, flush=True)
    await asyncio.sleep(0.2)
run(main)
"""

IN_A_THREAD = POOL.replace("async def main():", "def work():").replace(
    "    await asyncio.sleep(0.2)\nrun(main)\n",
    """
async def main():
    await asyncio.to_thread(work)
    await asyncio.sleep(0.2)
run(main)
""",
)

EXECUTOR = """
def end_by_signal():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

async def main():
    with concurrent.futures.ProcessPoolExecutor(
        1, mp_context=multiprocessing.get_context("fork")
    ) as executor:
        try:
            await asyncio.get_running_loop().run_in_executor(executor, end_by_signal)
        except concurrent.futures.process.BrokenProcessPool:
            print("broken", flush=True)
    await asyncio.sleep(0.2)
run(main)
"""

ITS_OWN = """
def own(number, frame):
    os._exit(7)

async def main():
    signal.signal(signal.SIGINT, own)
    pid = os.fork()
    if not pid:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    print(ends_by(pid), flush=True)
run(main)
"""

AFTERWARDS = """
async def main():
    pass
run(main)
signal.signal(signal.SIGTERM, lambda *_: os._exit(8))
pid = os.fork()
if not pid:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
print(ends_by(pid), flush=True)
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""

IN_THE_PARENT = """
async def main():
    pid = os.fork()
    if not pid:
        os._exit(0)
    ends_by(pid)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.2)
run(main)
"""

WHILE_IT_IS_SET_UP = """
base = asyncio.SelectorEventLoop
if sys.argv[1] == "uvloop":
    import uvloop
    base = uvloop.Loop

class Loop(base):
    def add_signal_handler(self, number, *handler):
        super().add_signal_handler(number, *handler)
        if number == signal.SIGTERM:
            os.kill(os.getpid(), number)

heard = asyncio.Event()
run_to_end(heard.wait, on_signal=lambda number: (told(number), heard.set()), loop_factory=Loop)
"""

BEFORE_IT_RUNS = """
heard = asyncio.Event()

async def until_heard():
    await heard.wait()

def main():
    os.kill(os.getpid(), signal.SIGTERM)
    return until_heard()

run_to_end(main, on_signal=lambda number: (told(number), heard.set()))
"""

BETWEEN_TWO_RUNS = """
import logging

class Kills(logging.Handler):
    def emit(self, record):
        os.kill(os.getpid(), signal.SIGTERM)

heard = asyncio.Event()
logging.getLogger("consumers").addHandler(Kills())

async def main():
    asyncio.get_running_loop().call_soon(sys.exit)
    await heard.wait()

run_to_end(main, on_signal=lambda number: (told(number), heard.set()))
"""


def ran(script: str, loop: str) -> list[str]:
    """What it printed."""
    done = subprocess.run(
        [sys.executable, "-c", START + script, loop],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("loop", ["standard", "uvloop"])
@pytest.mark.parametrize(
    ("script", "printed"),
    [
        pytest.param(FORK, ["True", "True", "the end"], id="os.fork"),
        pytest.param(POOL, ["too late", "-15", "the end"], id="multiprocessing"),
        pytest.param(IN_A_THREAD, ["too late", "-15", "the end"], id="in a thread"),
        pytest.param(EXECUTOR, ["broken", "the end"], id="ProcessPoolExecutor"),
    ],
)
def test_a_signal_of_a_fork_is_the_forks_alone(script: str, printed: list[str], loop: str) -> None:
    assert ran(script, loop) == printed


@pytest.mark.parametrize("loop", ["standard", "uvloop"])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(WHILE_IT_IS_SET_UP, id="while it is set up"),
        pytest.param(BEFORE_IT_RUNS, id="before it runs"),
        pytest.param(BETWEEN_TWO_RUNS, id="between two runs"),
    ],
)
def test_a_signal_is_heard_that_comes_while_the_loop_does_not_run(script: str, loop: str) -> None:
    assert ran(script, loop) == ["told SIGTERM"]


def test_the_process_itself_goes_on_hearing_signals_after_a_fork() -> None:
    assert ran(IN_THE_PARENT, "standard") == ["told SIGTERM", "the end"]


def test_what_a_task_has_set_up_for_its_forks_stays() -> None:
    assert ran(ITS_OWN, "standard") == ["7", "the end"]


def test_once_nobody_hears_signals_forks_are_left_alone() -> None:
    assert ran(AFTERWARDS, "standard") == ["the end", "8"]

#!/usr/bin/env bash
# A token bucket of `throttled-py` does not fill for a caller who comes oftener than one token takes, and refuses who
# keeps to the rate but for a little.
#
# Seen with throttled-py 3.5.0 (PyPI), in memory; its script for Redis counts in the same way.
#
# Tokens are whole, and so are the seconds since the last request. Each request that is let through adds
# floor(seconds * rate) tokens and makes the instant the new beginning, so that the rest of a token is forgotten. With
# three requests in four seconds and one request a second, 0.75 tokens come back between two requests: the bucket of
# three should last for twelve of them. It is empty after three, and the fourth is refused. The generic cell rate
# algorithm of the same library, which keeps an instant as a fraction, lets it through.
#
# Known elsewhere: varnish/varnish-modules#243 (the same in vsthrottle, mended in 2026).
#
# Output when written:
#   throttled-py 3.5.0: one request a second, 3 in 4 s allowed: token_bucket yes yes yes no, gcra yes yes yes yes

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check throttled-py==3.5.0

"$work/venv/bin/python" - <<'PYTHON'
import time
from datetime import timedelta
from importlib.metadata import version

from throttled import Throttled
from throttled.rate_limiter import per_duration
from throttled.store import MemoryStore

quota = per_duration(timedelta(seconds=4), 3)
limiters = {
    name: Throttled(using=name, quota=quota, store=MemoryStore()) for name in ("token_bucket", "gcra")
}
told = {name: [] for name in limiters}
for _ in range(4):
    time.sleep(1.3 - time.time() % 1)  # each in the next second of the clock
    for name, limiter in limiters.items():
        told[name].append("no" if limiter.limit("a caller").limited else "yes")
line = ", ".join(f"{name} {' '.join(answers)}" for name, answers in told.items())
print(f"throttled-py {version('throttled-py')}: one request a second, 3 in 4 s allowed: {line}")
assert line == "token_bucket yes yes yes no, gcra yes yes yes yes", line
PYTHON

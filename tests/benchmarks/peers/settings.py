"""What the peers are told by the environment."""

from __future__ import annotations

import os

AMQP_URL = os.environ["BENCH_AMQP_URL"]

PREFETCH = int(os.environ.get("BENCH_PREFETCH", "100"))
"""Tasks that a worker may hold, where its own default is not better."""

PRIORITIES = os.environ.get("BENCH_PRIORITIES") == "yes"
"""With priorities in the broker. All peers need a classic queue for that: the arguments of quorum
queues know none."""

LOW, URGENT = 0, 9
"""AMQP's numbers, of `x-max-priority` 10."""

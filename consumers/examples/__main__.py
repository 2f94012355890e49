"""Prints the fleet of examples as JSON, one object for each agent: ``python -m consumers.examples --list``.

Each is started by ``python -m consumers TARGET --id AGENT_ID``. One that needs a variable of the
environment is left out while that is not set.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from .fleet import fleet_of, ready_members


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m consumers.examples")
    parser.add_argument("--list", action="store_true", required=True, help="print the agents")
    parser.add_argument("--count", type=int, help="this many, some of them twice if need be")
    options = parser.parse_args(arguments)
    members = ready_members(os.environ)
    count = len(members) if options.count is None else max(options.count, 0)
    json.dump([asdict(member) for member in fleet_of(count, members)], sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

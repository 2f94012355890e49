"""``python -m consumers.examples --list`` prints the fleet as JSON, one object for each agent.

An agent that needs a variable which is not set is left out; `--all` lists it, too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from .fleet import FLEET


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m consumers.examples")
    parser.add_argument("--list", action="store_true", required=True, help="print the agents")
    parser.add_argument("--all", action="store_true", help="also those that lack a variable")
    options = parser.parse_args()
    fleet = [
        asdict(member)
        for member in FLEET
        if options.all or member.needs is None or os.environ.get(member.needs)
    ]
    json.dump(fleet, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

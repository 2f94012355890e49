"""As much of curl as the pages use; ends with 22 for an HTTP error, as `curl --fail` does. A stream is cut by
`--max-time` on purpose: that is no failure here, though curl ends with 28.
"""

from __future__ import annotations

import argparse
import signal
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

HTTP_ERROR = 22
LONGEST = 30.0
"""Seconds until something comes; a stream has a comment after 15."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-N", action="store_true")
    parser.add_argument("--max-time", type=float, default=600.0)
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    data = None if given.data is None else given.data.encode()
    method = given.method or ("GET" if data is None else "POST")
    request = Request(given.url, data, headers, method=method)
    signal.signal(signal.SIGALRM, _time_is_over)
    signal.setitimer(signal.ITIMER_REAL, given.max_time)
    try:
        with urlopen(request, timeout=LONGEST) as answer:
            while some := answer.read1():
                sys.stdout.buffer.write(some)
                sys.stdout.buffer.flush()
        print()
    except HTTPError as exc:
        with exc:
            print(exc.read().decode())
        return HTTP_ERROR
    return 0


def _time_is_over(*_: object) -> None:
    sys.stdout.flush()
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())

"""As much of curl as the pages use; ends with 22 for an HTTP error, as `curl --fail` does."""

from __future__ import annotations

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

HTTP_ERROR = 22


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-d", dest="data")
    parser.add_argument("-s", action="store_true")
    given = parser.parse_args()
    headers = dict(header.split(": ", 1) for header in given.headers)
    data = None if given.data is None else given.data.encode()
    method = given.method or ("GET" if data is None else "POST")
    request = Request(given.url, data, headers, method=method)
    try:
        with urlopen(request, timeout=30) as answer:
            print(answer.read().decode())
    except HTTPError as exc:
        with exc:
            print(exc.read().decode())
        return HTTP_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env bash
# 503 with `Retry-After: 1`: five clients wait and repeat a GET and never a POST; the one that repeats a POST does not wait.
#
# Seen with urllib3 2.8.0, httpx-retries 0.6.0, aiohttp-retry 2.9.1 (PyPI), undici 7.30.2, got 14.6.6, axios-retry 4.5.0 (npm),
# each with retries on, and otherwise as it comes.
#
# Whoever turns on retries to get through a deploy, or a rate, expects them for what is sent, which is a POST. All
# but one leave POST out, since it may not be repeated in general; that the request has an `Idempotency-Key`, or
# that a server which says when to come back has not acted on it, does not count. It has to be allowed by name
# (`allowed_methods`, `methods`, `retryCondition`), and nothing tells that it was not.
# aiohttp-retry repeats every method on each status of 500 or more, and never looks at `Retry-After`: it comes back
# after 0.2 s, 0.4 s and so on, and has used up its attempts before a server is there again that asked for ten seconds.
#
# Output when written:
#   GET/POST: urllib3 waits/gives up, httpx-retries waits/gives up, aiohttp-retry comes at once/comes at once, undici waits/gives up, got waits/gives up, axios-retry waits/gives up
#
# Documented: each one's list of methods (axios-retry's condition, "network or idempotent request"); RFC 9110, 9.2.2 and
# 10.2.3. Known: inyutin/aiohttp_retry#59 (closed; it leaves the header to a RetryOptions of one's own).

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check \
  aiohttp-retry==2.9.1 httpx-retries==0.6.0 urllib3==2.8.0
npm install --silent --no-audit --no-fund --prefix "$work" \
  axios@1.21.1 axios-retry@4.5.0 got@14.6.6 undici@7.30.2 >/dev/null

cat >"$work/ask.mjs" <<'JAVASCRIPT'
import axios from 'axios';
import axiosRetry from 'axios-retry';
import got from 'got';
import { Agent, RetryAgent, request } from 'undici';

const [client, method, url] = process.argv.slice(2);
const body = method === 'POST' ? '{}' : undefined;
const clients = {
  undici: () => request(url, { method, body, dispatcher: new RetryAgent(new Agent()) }),
  got: () => got(url, { method, body }),
  'axios-retry': () => {
    const session = axios.create();
    axiosRetry(session);
    return session.request({ url, method, data: body });
  },
};
await clients[client]().catch(() => {});
process.exit();
JAVASCRIPT

"$work/venv/bin/python" - "$work/ask.mjs" 2>"$work/log" <<'PYTHON' || { cat "$work/log"; exit 1; }
import asyncio
import subprocess
import sys
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp_retry
import httpx
import httpx_retries
import urllib3

asked_at = defaultdict(list)


class AwayOnce(BaseHTTPRequestHandler):
    """Refuses the first request for each path, for a second, and answers the next."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked_at[self.path].append(time.monotonic())
        if len(asked_at[self.path]) == 1:
            self.send_response(503)
            self.send_header("Retry-After", "1")
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass


def by_urllib3(method, url):
    urllib3.PoolManager(retries=urllib3.Retry(3)).request(method, url)


def by_httpx_retries(method, url):
    with httpx.Client(transport=httpx_retries.RetryTransport()) as client:
        client.request(method, url)


def by_aiohttp_retry(method, url):
    async def ask():
        async with aiohttp_retry.RetryClient() as client, client.request(method, url) as answer:
            await answer.read()

    asyncio.run(ask())


def by_node(name):
    return lambda method, url: subprocess.run(["node", sys.argv[1], name, method, url], check=True, timeout=30)


clients = {
    "urllib3": by_urllib3,
    "httpx-retries": by_httpx_retries,
    "aiohttp-retry": by_aiohttp_retry,
    **{name: by_node(name) for name in ("undici", "got", "axios-retry")},
}


def outcome(name, method):
    path = f"/{name}/{method}"
    clients[name](method, f"http://127.0.0.1:{server.server_port}{path}")
    first, *others = asked_at[path]
    if not others:
        return "gives up"
    return "waits" if others[0] - first > 0.9 else "comes at once"


server = ThreadingHTTPServer(("127.0.0.1", 0), AwayOnce)
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = {name: f"{outcome(name, 'GET')}/{outcome(name, 'POST')}" for name in clients}
server.shutdown()
expected = dict.fromkeys(clients, "waits/gives up") | {"aiohttp-retry": "comes at once/comes at once"}
assert seen == expected, seen
print("GET/POST: " + ", ".join(f"{name} {found}" for name, found in seen.items()))
PYTHON

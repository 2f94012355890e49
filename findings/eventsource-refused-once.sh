#!/usr/bin/env bash
# Node's EventSource gives up for good when a server is away at the moment in which it comes back.
#
# Seen with undici 6.24.1 (npm), which is the EventSource of Node.js 20.20 (`--experimental-eventsource`), too.
#
# A stream that ends is opened again after `retry` milliseconds. Where that is refused, since the server is not up again
# yet, undici calls both of its steps: that for a network error, which waits for the next time, and that for the end of
# a body, which closes. So a server may be away for less than one `retry`, and not for more. The standard leaves it to
# the client for reasons that it knows to be futile; browsers go on.
#
# Known: nodejs/undici#4247, mended in 7.x and not in 6.x.
#
# Output when written:
#   away for longer than one retry: undici 6.24.1 CLOSED, undici 7.30.2 OPEN

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for version in 6.24.1 7.30.2; do
    mkdir "$work/$version"
    (cd "$work/$version" && npm install --silent --no-audit --no-fund "undici@$version" >/dev/null)
done

cat >"$work/away.mjs" <<'NODE'
import http from 'node:http';
import { createRequire } from 'node:module';

const { EventSource } = createRequire(process.argv[2])('undici');
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function listening(port) {
  const server = http.createServer((_, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' });
    answer.write('retry: 200\nid: 1\ndata: x\n\n');
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

const first = await listening(0);
const { port } = first.address();
const source = new EventSource(`http://127.0.0.1:${port}/`);
await new Promise((resolve) => source.addEventListener('message', resolve));
first.closeAllConnections();
first.close();
await sleep(900);
const second = await listening(port);
await sleep(1500);
console.log(['CONNECTING', 'OPEN', 'CLOSED'][source.readyState]);
process.exit();
NODE

line="away for longer than one retry:"
for version in 6.24.1 7.30.2; do
    line+=" undici $version $(node --no-warnings "$work/away.mjs" "$work/$version/"),"
done
line=${line%,}
echo "$line"
test "$line" = "away for longer than one retry: undici 6.24.1 CLOSED, undici 7.30.2 OPEN"

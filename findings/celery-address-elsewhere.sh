#!/usr/bin/env bash
# Celery's own address of the broker names the virtual host "" to pika, and "/" to everyone else.
#
# Seen with celery 5.7.0, kombu 5.7.0, pika 1.4.4, aiormq 7.2.4 (all PyPI).
#
# Celery prints and takes amqp://guest@host:5672// for the virtual host "/": a second slash, instead of the %2F that
# RabbitMQ's specification of addresses asks for. The same address in the configuration of a service with pika asks the
# broker for the virtual host "", which RabbitMQ does not have. aiormq (under aio-pika) forgives it. A path of two segments,
# which the specification leaves without a meaning, parts them too: pika drops all but the first, without a word.
# And a virtual host whose name has a percent sign is another one to aiormq, which decodes it twice.
# amqp://host/%2F and amqp://host/name, where the name has letters, digits and "-._~" only, are the same to all.
#
# Output when written:
#   //: kombu "/", pika "", aiormq "/"; /a/b: kombu "a/b", pika "a", aiormq "a/b"; /%252F: kombu "%2F", pika "%2F", aiormq "/"
#
# Documented: RabbitMQ's "URI Specification" (a virtual host is one segment); Celery's "First Steps" uses the other form.
# Known of others: celery/kombu#121, amqp-node/amqplib#589. Of pika's "" and of decoding twice nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check \
  aiormq==7.2.4 celery==5.7.0 kombu==5.7.0 pika==1.4.4

"$work/venv/bin/python" - <<'PYTHON'
import asyncio
import json

import aiormq
import kombu
import pika
from celery import Celery


async def of_aiormq(address):
    return aiormq.Connection(address).vhost  # made, not connected: nothing is sent


def virtual_hosts(address):
    return {
        "kombu": kombu.Connection(address).virtual_host,
        "pika": pika.URLParameters(address).virtual_host,
        "aiormq": asyncio.run(of_aiormq(address)),
    }


celerys = Celery(broker="pyamqp://guest@localhost//").connection().as_uri()
assert celerys.endswith("@localhost:5672//"), celerys

expected = {
    "//": {"kombu": "/", "pika": "", "aiormq": "/"},
    "/a/b": {"kombu": "a/b", "pika": "a", "aiormq": "a/b"},
    "/%252F": {"kombu": "%2F", "pika": "%2F", "aiormq": "/"},
}
seen = {path: virtual_hosts(f"amqp://localhost{path}") for path in expected}
assert seen == expected, seen
for path, name in {"/%2F": "/", "/tests": "tests"}.items():
    assert set(virtual_hosts(f"amqp://localhost{path}").values()) == {name}, path
print(
    "; ".join(
        f"{path}: " + ", ".join(f"{client} {json.dumps(name)}" for client, name in names.items())
        for path, names in seen.items()
    )
)
PYTHON

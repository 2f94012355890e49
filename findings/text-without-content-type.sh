#!/usr/bin/env bash
# FastStream guesses where a message has no content type: the text `hello` reaches `str`, the text `5` is refused.
#
# Seen with faststream 0.7.8, aio-pika 10.2.1 (PyPI), with its broker for tests.
#
# amqplib and pika leave the content type out unless they are told one. FastStream then tries JSON:
# `5`, `null`, `1e5`, `true` and `NaN` are numbers and the like, and a handler that is annotated `str` gets a
# ValidationError; what is no JSON is text. By default a message whose handler failed is rejected, and gone where
# there is no dead letter exchange. So a queue of plain texts, order numbers for one, works until a text looks like
# a number, and `007` works, too, since no JSON number begins with 00.
# The other way round, `application/cloudevents+json`, or any other type that ends in +json, is bytes to a handler that
# has no annotation, and refused where it asks for a dict. `content_type` of text/plain, or application/json, says it.
#
# Output when written:
#   no type: hello 'hello', 007 '007', 5 ValidationError, null ValidationError; text/plain: 5 '5'; for a dict: application/json {'a': 1}, application/cloudevents+json ValidationError
#
# Documented: the source alone was found, `decode_message` of faststream/message/utils.py. An issue about it was not found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check aio-pika==10.2.1 "faststream[rabbit]==0.7.8"

"$work/venv/bin/python" - 2>"$work/log" <<'PYTHON' || { cat "$work/log"; exit 1; }
import asyncio

from aio_pika import Message
from faststream.rabbit import RabbitBroker, TestRabbitBroker

broker = RabbitBroker()
handled = []


@broker.subscriber("texts")
async def take_text(text: str) -> None:
    handled.append(text)


@broker.subscriber("documents")
async def take_document(document: dict[str, int]) -> None:
    handled.append(document)


async def outcome(tested, queue, body, content_type=None):
    handled.clear()
    try:
        await tested.publish(Message(body, content_type=content_type), queue)
    except Exception as error:
        return type(error).__name__
    return repr(handled[0])


async def main():
    async with TestRabbitBroker(broker) as tested:
        untyped = [
            f"{text} {await outcome(tested, 'texts', text.encode())}" for text in ("hello", "007", "5", "null")
        ]
        as_text = await outcome(tested, "texts", b"5", "text/plain")
        document = b'{"a": 1}'
        typed = [
            f"{kind} {await outcome(tested, 'documents', document, kind)}"
            for kind in ("application/json", "application/cloudevents+json")
        ]
    return f"no type: {', '.join(untyped)}; text/plain: 5 {as_text}; for a dict: {', '.join(typed)}"


seen = asyncio.run(main())
expected = (
    "no type: hello 'hello', 007 '007', 5 ValidationError, null ValidationError; text/plain: 5 '5'; "
    "for a dict: application/json {'a': 1}, application/cloudevents+json ValidationError"
)
assert seen == expected, seen
print(seen)
PYTHON

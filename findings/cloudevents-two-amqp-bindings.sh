#!/usr/bin/env bash
# One SDK, two AMQP bindings for CloudEvents: neither reads the other, and one makes `true` the text `True`.
#
# Seen with cloudevents 2.2.0 (PyPI).
#
# `bindings.amqp` follows the AMQP 1.0 binding: cloudEvents_id, native integers and booleans, and `time` as an integer of
# milliseconds, so that microseconds are gone. `bindings.rabbitmq` follows Knative's for AMQP 0-9-1: ce-id, everything as
# text, `time` in RFC 3339 with its microseconds. RabbitMQ carries messages of both protocols on one queue, and turns
# application properties into headers and back; each reader refuses the other's event as one that lacks its required
# attributes.
# The boolean true becomes the text `True` in Python's spelling, in the HTTP binding too: CloudEvents knows `true` and
# `false` only, case-sensitive. Read back, it is neither: attributes that were numbers and booleans are texts.
#
# Output when written:
#   true and 5 go round as True and 5 by amqp, as 'True' and '5' by rabbitmq; 123456 microseconds come back as 123000 by amqp
#
# Documented: the CloudEvents specification 1.0, "Type System" (texts of booleans); Knative's "RabbitMQ Protocol Binding
# Spec for CloudEvents", asked for in knative-extensions/eventing-rabbitmq#388. Of `True` nothing was found.

set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check cloudevents==2.2.0

"$work/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime

from cloudevents.core.bindings import amqp, http, rabbitmq
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

json_format = JSONFormat()
sent = {
    "specversion": "1.0",
    "id": "1",
    "source": "/orders",
    "type": "order.paid",
    "time": datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC),
    "attempt": 5,
    "last": True,
}
event = CloudEvent(sent, {"total": 1})

one = amqp.to_binary(event, json_format)
assert one.application_properties["cloudEvents_time"] == 1795867200123, one
by_amqp = amqp.from_binary(one, json_format, CloudEvent).get_attributes()
assert (by_amqp["last"], by_amqp["attempt"], by_amqp["time"].microsecond) == (True, 5, 123000), by_amqp

two = rabbitmq.to_binary(event, json_format)
assert two.headers["ce-last"] == "True" == http.to_binary(event, json_format).headers["ce-last"], two
by_rabbitmq = rabbitmq.from_binary(two, json_format, CloudEvent).get_attributes()
assert (by_rabbitmq["last"], by_rabbitmq["attempt"]) == ("True", "5"), by_rabbitmq
assert by_rabbitmq["time"].microsecond == 123456, by_rabbitmq


def refused(read):
    try:
        read()
    except CloudEventValidationError as error:
        return "Missing required attribute: 'source'" in str(error)
    return False


as_headers = rabbitmq.RabbitMQMessage(
    headers=one.application_properties, content_type=None, body=one.application_data
)
as_properties = amqp.AMQPMessage(
    properties={}, application_properties=two.headers, application_data=two.body
)
assert refused(lambda: rabbitmq.from_binary(as_headers, json_format, CloudEvent))
assert refused(lambda: amqp.from_binary(as_properties, json_format, CloudEvent))
print(
    f"true and 5 go round as {by_amqp['last']!r} and {by_amqp['attempt']!r} by amqp, "
    f"as {by_rabbitmq['last']!r} and {by_rabbitmq['attempt']!r} by rabbitmq; "
    f"{sent['time'].microsecond} microseconds come back as {by_amqp['time'].microsecond} by amqp"
)
PYTHON

"""Speaks AMQP 0-9-1 with RabbitMQ: the only importer of the drivers aio-pika and aiormq.

    Publisher ─┐                                        ┌─▶ BatchReader ─▶ the ledger
               ├─▶ Channel ─▶ frames ─▶ socket ─▶ frames ─┤
    consumers ─┘      ▲                                 └─▶ consumers' callbacks, confirms to the publisher
                   Connection ─ Link ─ Link ─ …  one `Link` for each connection until it is lost

publisher ............ publishes and waits for the broker's confirm
intercepted_publisher  shows each message to interceptors before and after it is published
batch_reader ......... reads the log in batches, and acknowledges when their effect is stored
prefetch_window ...... how many messages a reader may hold, by count and by bytes
queue_depths ......... messages and consumers of many queues, asked together
queue_drain .......... empties a queue, and counts what it took
broker_lock .......... a lock that ends with the connection of its holder
connection ........... connects, and connects again when the link is lost
connection_timings ... its time-outs and pauses, which a test makes short
undeliverable_head ... notices a message that ends each reader's connection
channel .............. one channel: publish, get, consume, settle, declare
publishing ........... what the publisher is made of: it sends alone what may be too large
frames ............... the frames that are sent most, encoded and decoded without the driver
driver_errors ........ the driver's exceptions become the project's
refusal_texts ........ the broker's text of a refusal becomes an error
asyncio_cancel ....... cancels a task and waits for its end
ports ................ what publishes and reads depths, as other packages ask for it

Arrows run down this list. Messages come and go as `protocol.message.Message`; what they say is read
elsewhere. Never happens: a driver's exception or object leaves this package; a publish returns before
its confirm; a message is acknowledged before its effect is stored; a message that anybody may publish
ends a connection because it cannot be read.
"""

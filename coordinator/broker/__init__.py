"""AMQP: the only importer of aio-pika. See `connection` for how it hangs together."""

"""Encodes events into messages and reads them back: CloudEvents 1.0 over AMQP.

event_reading .... all events in a message of the log, and what of it is refused
event_decoding ... one event, in whatever form it comes, and whether its author may say it
event_encoding ... one event or a batch of them as a message, and its routing key
"""

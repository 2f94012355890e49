"""Gathers the facts of a broker, and judges nothing. Each fact that could not be learned is None.

amqp_facts ......... looks at each exchange and queue over AMQP
management_facts ... reads nodes, policies, flags, bindings and permissions from the management API
fact_types ......... the facts themselves, as the checks are given them
broker_location .... finds the broker's address and that of its management API

Arrows run down this list; the first two know nothing of each other.
"""

"""Sends a message and waits for its confirm, alone where it may be too large.

large_messages ... learns how large a message the broker takes, and sends such alone
outgoing ......... a message and where it goes
confirm_wait ..... waits for one confirm
"""

"""Runs `coordinator keys`: makes, lists, rotates and revokes API keys.

keys_command ... does it, in the ledger
keys_parser .... parses its command line
"""

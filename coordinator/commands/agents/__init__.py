"""Runs `coordinator agents`: users of the broker for agents, and whose those are that others have made.

agents_command ... runs it: the broker's users, or with `--user` what the ledger enters of them
entered_users .... enters in the ledger which users speak for which agents, and takes it back
agents_parser .... parses it

Arrows run down this list.
"""

"""Tells facts about the machine that the agent runs on.

agent .......... the inspector and its handlers
machine_facts .. from /proc, and from Python
"""

"""Explains why a task is where it is, in sentences for people.

why_waiting ............. one task: what is ahead of it, which agents could take it
unserved_task_warning ... what has to change where no agent would take such a task
able_agents ............. agents by the requirements of a task
why_running ............. a running task: whether its agent names it

Arrows run downwards.
"""

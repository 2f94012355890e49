"""Keeps the process of an agent alive: signals, forks, the event loop, the log.

event_loop ........ runs until the agent has ended, whatever else calls `sys.exit`
stop_signals ...... SIGTERM and SIGINT, in the agent and not in its forks
fork_guard ........ a fork that comes back from a handler ends
background_tasks .. asyncio tasks that last as long as the agent
log_format ........ one line for each record, where the author has set up no logging

It knows nothing of tasks and brokers.
"""

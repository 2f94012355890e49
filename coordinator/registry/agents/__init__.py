"""Registers agents, hears them, and keeps them in memory and, now and then, in the ledger.

in_memory .............. every agent as this process knows it; all below write to it or ask it
live_queue_reader ...... applies what this process's live queue brings, heartbeats included
heartbeat_answers ...... answers a heartbeat that shows a difference with a command
registrar .............. makes a confirmed event of each request about an agent
registration_answers ... answers agents' requests over AMQP, by the registrar
refused_users .......... counts by user the requests that were refused since it is not the agent's
control_queue_opener ... declares the control queues of agents, for their requests
wake_queue_opener ...... declares the queues where agents sleep, for the replies to their requests
control_queue_probe .... asks the broker whether agents have a control queue
agent_snapshots ........ restores agents from the ledger, compares them with it, writes them back
agent_snapshot_rows .... the rows of it in SQL
silent_agent_removal ... removes agents that were silent for very long, by the registrar
heartbeat_witnesses .... tells recovery what heartbeats say of tasks that they do not name

Arrows run to `in_memory`, and from this room to tables, ledger and projection. Nothing here knows
`registry.queries`.
"""

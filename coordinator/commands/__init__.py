"""Runs the commands of `coordinator`.

cli ....................... parses the command line, runs the command, makes an exit status of its end
argument_parser ........... parses it: commands and their options
subcommands ............... reads the settings, sets up logging, starts what the command needs
up_command ................ `up`: private broker, service and example agents
next_steps ................ which commands `up` tells to type next
serve_command ............. `serve`: the service alone
worker_processes .......... `serve --workers N`: several processes behind one socket
dashboard ................. `dashboard`: the pages for people, apart from the service
rebuild_command ........... `rebuild`: folds all events again
keys ...................... `keys`: makes and ends API keys
private_node_start ........ starts the private RabbitMQ node of `up`, or a new one in its place
example_agent_processes ... runs the example agents of `up`
signal_handling ........... stops a command on SIGINT and SIGTERM
projector_process ......... keeps the process that folds the log beside the one that serves
kept_processes ............ starts another for each child process that ends, stops all of them
observability ............. the listener of the metrics, and spans, where they are configured
gc_tuning ................. has Python's garbage collector rest while a service starts
ports ..................... how a command tells people what it does, and keeps processes

The commands that call a running service are `coordinator.api_commands`; `doctor`, `demo`
and, for `agents`, `agent_users` are packages of their own, too. Arrows run down this list.
"""

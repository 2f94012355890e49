"""Makes, changes and removes the users that agents have on the broker, each with the least that it needs.

users_command .......... runs `coordinator agents`
private_node_users ..... makes those of the private node of `coordinator up`, and the service's own
agent_users ............ adds, rotates, removes, lists and compares them over the management API
rabbitmqctl_commands ... prints the same as commands, for brokers without that API
management_api ......... asks the management API as an administrator
agent_grant ............ what the user of one agent may do: permissions, limits, tags

Arrows run down this list. A user says itself what was granted, by its tags: nothing of it is kept
elsewhere, and passwords are kept nowhere. The broker enforces it all; the service needs none of this to run.
"""

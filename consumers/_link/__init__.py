"""Connects an agent with the coordinators: it registers, beats, obeys, and says goodbye.

control_queue ........ the queue on which replies and commands reach it
answered_requests .... what it asks coordinators for is asked again until one answers
registration ......... it asks a coordinator to be registered, and again when that is needed
follow_up_requests ... it asks a coordinator to submit what handlers ask for
registration_cache ... the last reply, in a file, so that it starts while no coordinator runs
command_dispatch ..... commands are obeyed: serve, leave, cancel, register again, drain
agent_health ......... active, degraded or draining
agent_figures ........ the same as numbers, for Prometheus
load_metrics ......... CPU and memory of the process
heartbeat_content .... all of it, as a heartbeat tells it
heartbeat ............ every few seconds, and soon after a change
shutdown ............. finish, publish what is left, say goodbye

It knows `_fetching` and `_working`, which know nothing of it.
"""

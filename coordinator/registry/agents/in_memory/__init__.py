"""Holds the fleet in memory: `LiveAgents` is the face, each other module has one job behind it.

live_agents ........... takes events, answers questions, hands each to the part whose job it is
statement_intake ...... registrations, status changes and removals; what the ledger made of them
heartbeat_intake ...... heartbeats, the hot path: no SQL, no search
agent_search .......... finds and counts agents
agent_view ............ shows an agent as the API tells it
agent_roster .......... the agents by id, in step with index, silence and control queues
doubled_instances ..... two processes under one agent id
unfolded_statements ... what was said of each agent, and what of that the ledger may not have yet
named_tasks ........... which tasks of a heartbeat its agent is believed to have
known_agent ........... one agent: what is durable of it, and what was heard since
agent_index ........... ids of agents by what they have
agent_silence ......... how long each was silent, on the hearing clock
control_queues ........ which agents have a control queue on the broker
agent_filter .......... which agents a page is asked for
ordered_ids ........... ids in order, to be read from any one on

Arrows run downwards.
"""

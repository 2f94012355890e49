"""Defines the bodies of messages, and reads and writes them.

    dict ─▶ TaskMessage, EventData, Command ─▶ body and headers ─▶ `protocol.message.Message`, and back

event_codec ............... events as CloudEvents 1.0 over AMQP: encode, read, routing keys, batches
heartbeat_reading ......... a heartbeat counts, whatever of it cannot be read
agent_commands ............ what a coordinator orders of agents, and its form on the wire
registration .............. an agent's request to be registered, and the answer
agent_requests ............ what else agents ask of coordinators: follow-up tasks
task_output ............... chunks of a handler's partial output, past the log
wake_call ................. an agent wakes another one of its kind; the name of the queue where it sleeps
events .................... all events by their type on the wire
task_events ............... facts in the past tense about tasks
agent_events .............. the same about agents, heartbeats among them
queue_and_ledger_events ... the same about task queues and the ledger
task_group ................ several tasks in one message of the log
new_task .................. a task's first message, written without the model
event ..................... the envelope of an event, and the base of its data
task_message .............. a task as its queue and the log hold it
cloudevents ............... attributes of CloudEvents in an AMQP message

Arrows run down this list. Names on the wire stay: a task queue is a `source` there.
Never happens: a message that cannot be read raises anything but `MalformedMessage`, `ForgedIdentity` or
`Unreadable`; the projector parks it and goes on.
"""

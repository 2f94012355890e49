"""Defines all that agents, producers and coordinators agree on: names, messages and limits on the wire.

    producer's request ─▶ TaskMessage ─▶ coordinator.tasks ─▶ tasks.<lane>.<priority> ─▶ agent
                              └──────────▶ coordinator.log ◀── TaskStarted, TaskCompleted, … ◀┘
    coordinator ─▶ command ─▶ coordinator.control ─▶ agent
    agent ─▶ AgentHeartbeat ─▶ coordinator.events ─▶ every coordinator process
    agent ─▶ TaskOutput ─▶ coordinator.output ─▶ every coordinator process that answers HTTP

topology ............... exchanges, queues and bindings; the only module that names them
messages ............... the bodies: task messages, events, commands, registration; CloudEvents around them
json_values ............ reading JSON as clients of any language write it; limits of it
task_queue ............. a lane at a priority: the name of its queue and its routing key
lanes .................. the lane's name for a set of requirements
requirements ........... what a task asks of an agent, and whether a profile has it
priority ............... the five priorities
name_encoding .......... any identifier as one word of a queue's name or routing key
id_limits, ids .... which ids are taken, and new ones
message_ttl ............ how long the broker keeps a task with a deadline
message_size ........... how large a message is read, and how much is told of a bad one
message ................ body and properties, whatever the driver
task_token ............. proves that an outcome comes from whoever received the task
trace_context .......... which trace a task or an event belongs to, after the W3C
reference_clock ........ the time by the clock that deadlines are judged by
broker_address_check ... checks an AMQP URL

Both the service and the agents import this package, and it imports neither of them: only `errors`. It does no
I/O. Unknown fields are left out and unknown types are passed over, so that versions may differ.
Never happens: a name, a header or a field changes its meaning. Arguments of a queue are structure, not
settings, since RabbitMQ refuses to declare a queue again with others; what may be tuned is a policy.
"""

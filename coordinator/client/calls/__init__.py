"""Says what the API can be asked: each function returns a call, or a program of several.

submission ........ one task, or many in batches
task_calls ........ one task: look it up, cancel, retry, delete, explain; lists
task_waiting ...... waits for the end of one task
many_endings ...... waits for the ends of many, over one stream
event_streams ..... follows events, or one task, over lost connections
output_repetitions . what a stream tells again of partial output, once it was opened again
followed_stream ... one stream, over however many connections
agent_calls ........ agents
queue_calls ....... queues, lanes, statistics
group_calls ....... groups of tasks
callback_calls .... deliveries of callbacks
dead_task_calls ... dead tasks
schedule_calls .... schedules
service_calls ..... health, and parked messages
page_walk ......... all pages of a list
"""

"""Works on what was delivered, from its arrival to the acknowledgement of its message.

task_executor ........ takes a message in, starts it, settles it
attempt .............. one message in hand
crash_loop ........... how many agents were lost with it
crash_probation ...... one that may have crashed others runs alone at first
slots ................ how many handlers run
backlog .............. what waits for a slot; draining
give_back_limit ...... how often a message may be returned
running_attempts ..... what runs; cancelling
ended_attempts ....... what has ended and is not confirmed yet
attempt_reporter ..... events of attempts
event_publisher ...... those events, in batches, until the broker confirms them
output_publisher ..... what handlers emit, past the events
message_acknowledger . acks, returns and rejects, on the channel of the delivery
delivery_tags ........ many acks in one frame
task_durations ....... how long tasks take, for `_fetching`

It runs handlers through `_handling`, and knows nothing of `_fetching` and `_link`.
"""

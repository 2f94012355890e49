"""Fetches tasks from the queues of an agent: strict priority, and nothing in hand that cannot run.

served_queues ...... the queues that a coordinator offered, less what is missing
queue_probe ........ how many messages each of them holds
fetch_policy ....... every decision, as pure functions of what a probe found
pull_consumer ...... `basic.get`, one for each free slot
push_consumer ...... `basic.consume`, while the agent rests or focuses
queue_focus ........ one queue of short tasks is consumed as fast as it goes
idle_waiting ....... nothing waits: sleep, peeks, and a few consumers
wake_consumer ...... `basic.consume` of the wake queue, where a call wakes the agent
wake_caller ........ calls other agents of its kind for what this one leaves to them
fleet .............. how many rest, and the name of the wake queue
wakeups ............ every wait of these, and what ends it
fetch_loop ......... the loop over all of them

It hands what it fetches to `_working`, and asks it for free slots.
"""

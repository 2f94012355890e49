"""Keeps in SQL what submission, recovery and access ask for by their ports: keys, leases, turns, schedules.

api_keys ............. makes, rotates and revokes API keys: for `access` and `coordinator keys`
callers_tasks ........ counts the tasks of each caller that are still to be done: for `access`
idempotency_keys ..... claims Idempotency-Keys and keeps their answers: for submission
outbox_rows .......... leases due attempts to a publisher: for recovery's outbox publisher
recurring_schedule ... one schedule as the ledger has it
schedule_rows ........ makes, finds, pauses and deletes schedules, a row each
schedule_leases ...... leases due ticks to a coordinator, and moves schedules on
schedule_edits ....... changes schedules as people ask, between two ticks
schedules ............ all of them together: for the API and for recovery's schedule runner
callback_deliveries .. lists the deliveries of callbacks, and makes dead ones due again: for the API
turn_rows ............ begins and ends turns, a row for each task that is acted on
broker_users ......... enters whose the broker's users are, and reads it again and again
group_tasks .......... finds the tasks of a group that go on, each in its turn: for recovery
request_turns ........ gives one request at a time a turn to act on a task: for recovery

A module imports those above it. The room imports `ledger` and `tables`.
"""

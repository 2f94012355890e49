"""Puts right what went wrong on the way of a task, and does what was put off.

    ledger ─▶ what is due, overdue, missing or lost ─▶ one publish, confirmed ─▶ its event is noted

task_canceller .......... cancels a task by request, whatever state it is in
groups .................. cancels the tasks of a group, by request
questions ............... sees the questions to an end that attempts ask people
task_redriver ........... redrives ended tasks, as a new generation, by request
outbox_publisher ........ publishes due attempts: retries, scheduled tasks, redrives
schedule_runner ......... submits the tasks of recurring schedules, tick by tick
overdue ................. ends tasks that were not started in time, and waits for answers that did not come
exclusive_rounds ........ calls the next two, one coordinator at a time
reconciler .............. finds queued tasks that are on no queue
half_published_tasks .... completes tasks of which the broker took one half
doubted_tasks ........... remembers tasks whose queue may not have them, for the reconciler
lost_attempt_finder ..... finds running tasks that nobody works on
broker_migration ........ puts what a former broker had on the new one
queues .................. moves tasks between queues, retires queues, opens those that are missing
task_republisher ........ publishes a queued task again, the same attempt
oversized_tasks ......... ends tasks that the broker takes no more
empty_queue_check ....... checks that a queue is empty
ports ................... what bootstrap gives to them

Arrows run down this list: nothing here knows anything above it. `submission` and `registry` come in by
ports alone.
"""

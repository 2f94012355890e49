"""Reads out of the ledger which tasks and queues need a hand, and takes out what is past its time.

overdue_tasks ............ tasks that missed their deadline
missing_tasks ............ queued tasks that later ones of their queue have overtaken
running_tasks ............ tasks that run, and which later tasks of their queues have started
tasks_in_untyped_lanes ... tasks in a lane without a type, though an agent has announced theirs
former_broker_tasks ...... queued tasks that were on a broker which was given up
unserved_lanes ........... lanes that no agent ever registered for
idle_task_queues ......... queues that nobody uses, and tasks whose queue is not open
unanswered_tasks ......... tasks that wait for an answer of people beyond its time
stopped_follow_ups ....... tasks that are to be cancelled, since their parent was
ledger_backlog ........... how much is due in the outbox, waits there, was parked, and of callbacks
refused_events ........... counts by author what was parked for its token or its identity
retention ................ forgets ended tasks when their time is over
requested_deletion ....... deletes one ended task by request
task_removal ............. takes tasks out of the ledger and keeps what they counted

`coordinator.recovery` acts on the answers of the first nine. Arrows run to tables, ledger and stores, and
here to `task_removal` and `missing_tasks`.
"""

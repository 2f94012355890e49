"""The law: how events change a task. Pure folds of one event each, without I/O and without a clock.

    scheduled ──▶ queued ──▶ running ──▶ completed
                   ▲  │       │ ├──▶ waiting ─▶ queued      an attempt failed or was lost
                   │  │       │ └──▶ dead                   attempts spent, crash loop, too large
                   └──┼───────┼────▶ cancelled              by request, or with its queue
                      └───────┴────▶ expired                its deadline passed before a start

The fence is (generation, attempt). An event of an older generation is only ever late. The agents
and the log are told of a task by two queues that commit on their own, so an agent's events may be
folded before the task's own message: they make a stub, and the message fills it in.

fold ................... one event into one task, by the fold of its type; what callers call
task_publishes ......... the task's own message: submitted, scheduled, published again
dead_letters ........... its message when RabbitMQ gave it up
own_attempts ........... what an old attempt's agent says counts for no later one
declines ............... the task that an agent gave back, since it has no handler for the type
attempts ............... started, progressed, completed, failed, lost
generations ............ a redrive reopens the task; what is older is late
questions .............. an attempt asks people, and goes on when they have answered
deadline_pause ......... the deadline waits while people are asked
retries ................ another attempt after a pause, or the end
ends_without_attempt ... cancelled, expired, too large
stopped_parents ........ which follow-up tasks are cancelled with the task that submitted them
effects ................ what a fold answers, and what is to be done once that is stored

Arrows run down this list; nothing here imports a module above its own line, nor the ledger.
Never happens: a fold that reads the clock (`Rules.now` is given), that depends on the order in which
instants were stated, or that orders something to be done before its task is stored.
"""

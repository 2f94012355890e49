"""Decides by pure rules: no I/O, no clock, no randomness; time and jitter are arguments.

    event from the log ─▶ transitions.fold(task, event, rules) ─▶ task, effects ─▶ ledger, outbox, commands
    event from the log ─▶ agent.fold_agent(agent, event) ─▶ agent ─▶ ledger
    heartbeat ─▶ clock_skew, hearing_clock ─▶ agent_status_rules ─▶ the status that is shown
    requirements, profile ─▶ task_queues ─▶ the queues that an agent is offered

transitions ......... how events change a task: the law
task ................ a task's state, and which state may follow which
retry_backoff ....... the pause before another attempt
task_totals ......... what each task adds to the totals
lost_attempt_rule ... when a running attempt that nobody names is lost
callbacks ........... which events are told to the URL of a callback, and what follows from each try
dead_filter ......... which dead tasks a request means
labels .............. groups, tags and metadata by which tasks are found, and counts of groups
agent ............... how events change an agent
broker_identities ... which user of the broker may speak for which agent
agent_statuses ...... types and statuses of agents
agent_status_rules .. the status and health that are shown of an agent
ineligibility_reasons  why an agent may not do a task, in words
announced_types ..... task types that have lanes of their own
task_queues ......... open task queues, and the offer to each agent
clock_skew .......... how far an agent's clock is from ours
hearing_clock ....... silence counts only while the coordinator hears
idempotency_claim ... the right to answer an Idempotency-Key
cron ................ cron expressions, time zones and the ticks of recurring schedules

Only `protocol` and `errors` are imported. Objects are frozen; a rule answers with a new one.
`task_queues`, `announced_types`, `clock_skew` and `hearing_clock` keep in memory what they are told.
Never happens: a rule orders events by their time. The order of the log decides, and each event is folded
once. Since a fold is a function of the log alone, the ledger can be rebuilt from it.
"""

"""Submits tasks: HTTP in, broker out.

    SubmitTask ─▶ limits ─▶ task ─▶ admitted ─▶ its queue is open ─▶ published, confirmed ─▶ Accepted

follow_up_submitter ..... submits what the handler of another task asks for
idempotent_submission ... does a request with an Idempotency-Key once
batch_submitter ......... submits many tasks, with a verdict for each
submitter ............... submits one task
task_publisher .......... publishes tasks of one turn of the loop: to the log together, else one by one
task_maker .............. checks a request, and makes the task and its message of it
task_options ............ settles attempts, pauses, time-outs, times and deadline
request_limits .......... checks values against limits
admission_control ....... refuses tasks while too much waits
queue_opener ............ opens a task queue on its first use
lane_limits ............. decides whether one more lane may be opened
queue_clearer ........... the way back: drains a priority, and publishes the end of each task
per_id_lock ............. lets one submission of an id go on at a time
ports ................... what bootstrap gives to them

Arrows run down this list. What was accepted and goes wrong later is `recovery`'s.
"""

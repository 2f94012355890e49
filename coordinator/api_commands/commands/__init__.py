"""Does what each command of the API says. Each is called with an `Invocation` and gives the exit status.

Raises `ClientError` and `OperatorError`, of which `command_run` makes one line.

task_lookups ........ `task`, `tasks`, `explain`, `questions`
task_changes ........ `cancel`, `retry`, `answer`
submit_command ...... `submit`
schedule_actions .... `schedules`
ends_of_tasks ....... `wait`, and what follows or waits for one task
fleet_commands ...... `agents`, `agent`, `drain`, `queues`, `clear`, `health`
dead_task_commands .. `dead`, `redrive`
group_actions ....... `groups`, `callbacks`
events_command ...... `events`
top_command ......... `top`
top_screen .......... draws it
pressed_keys ........ which keys were pressed meanwhile
typed_tasks ......... the task that was typed
invocation .......... what a command is called with
"""

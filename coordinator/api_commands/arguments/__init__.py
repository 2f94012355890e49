"""Parses the commands of the API: their arguments, with a page of help for each. Imports no package.

argument_types ......... reads counts, seconds, instants and fields, and refuses wrong ones
manual_pages ........... lays out a page of help: paragraphs, examples, exit statuses
connection_arguments ... where the service is, the key, TLS, JSON: alike for all
task_filters ........... which tasks: alike for lists and dead tasks
submission_arguments ... `submit`
task_arguments ......... `task`, `tasks`, `wait`, `cancel`, `retry`, `explain`, `questions`, `answer`
fleet_arguments ........ `agent`, `drain`, `queues`, `clear`, `health`; the fleet of `agents`
dead_task_arguments .... `dead`, `redrive`
schedule_arguments ..... `schedules`
group_arguments ........ `groups`, `callbacks`
stream_arguments ....... `events`, `top`
"""

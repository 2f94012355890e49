"""Describes what the API answers, as frozen dataclasses: what they do not declare is left out when it is
read, and what older services do not tell has a default.

tasks .............. one task, its timeline, why it waits; a new one
accepted_tasks ..... what a submission, a cancellation, a retry and a deletion are answered
agents ............. agents
queues ............. queues and statistics
schedules .......... schedules
groups ............. groups of tasks
callbacks .......... deliveries of callbacks
dead_tasks ......... dead tasks by error, and their redrive
service_health ..... the service itself, and messages that it parked
pages .............. a page of a list
stream_items ....... what streams tell
"""

"""The endpoints: one module for each resource, named as its requests and answers in `wire` are.

task_submission ..... POST /tasks/submit
task_batches ........ POST /tasks/submit/batch
lean_submit ......... both for plain requests, without the framework: the hot path
task_statistics ..... GET /tasks/status
queues .............. /tasks/queues
task_explanations ... GET /tasks/{task_id}/explain
dead_tasks .......... /tasks/dead
tasks ............... /tasks/{task_id}, its events, wait, cancel and retry
task_pages .......... GET /tasks, GET /agents/{agent_id}/tasks
schedules ........... /schedules
callbacks ........... /callbacks
agents .............. /agents/{agent_id}, its status, heartbeat and drain; register and discover
agent_pages ......... GET /agents
parked_messages ..... /parked
health .............. /health and /
docs_page ........... /docs and /openapi.json

None imports another, but `lean_submit`, which submits by `task_submission` and `task_batches`.
"""

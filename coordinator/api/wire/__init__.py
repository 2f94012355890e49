"""Requests and answers as they are on the wire: one module for each resource, named as its endpoints are.

In each stand side by side the models of its requests, the models that describe its answers in the OpenAPI
document, and the functions named `…_shape` that write an answer from a record. The names of the models are
components of that document, and part of the contract.

task_submission ...... `SubmitTaskBody`, read into the command `SubmitTask`
task_batches ......... many of them, and their verdicts
tasks ................ one task, its timeline, its cancellation, retry and deletion
task_pages ........... lists of tasks
task_statistics ...... totals of all tasks
task_explanations .... why a task waits
dead_tasks ........... dead tasks by error, and their redrive
queues ............... sizes and statistics of queues
schedules ............ recurring schedules; `run_of` reads the task of a tick
agent_registration ... the registration of an agent over HTTP
agents ............... one agent, its status and heartbeat; agents found by filters
agent_pages .......... lists of agents
parked_messages ...... messages that could not be read
health ............... the service itself
errors ............... the body of every error

callbacks ............ whom a task is told to, and how that stands
fields ............... types of fields that these share

Arrows: lists and batches import the resource that they are many of; everything imports `fields`; nothing
here knows the web framework.
"""

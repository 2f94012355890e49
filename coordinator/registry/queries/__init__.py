"""Answers questions about tasks, queues and agents: the ledger, over what this process has just published.

explanations .......... why a task is where it is
paged_queries ......... tasks, timelines, agents and parked messages in pages; waits for the end of a task
groups ................ how the tasks of a group stand; waits for their ends
registry .............. one task, one agent, discovery; is told what was published and folded
single_task_queries ... one task and the totals, in one read transaction
overlay ............... what the broker has confirmed and the ledger may not have yet
task_pages ............ pages of tasks
task_page_sql ......... the SQL that finds the tasks of a page by an index
lane_requirements ..... what the tasks of a lane ask of agents
task_filter ........... which tasks a page is asked for
task_timeline ......... what happened to one task
task_view ............. a task as the API tells it
dead_tasks ............ dead tasks, by error and in pages
parked_pages .......... parked messages
service_statistics .... the figures of `GET /tasks/status`
queue_statistics ...... the oldest task of each queue, and the agents that serve it
queue_sizes ........... how many tasks wait, from the broker

Arrows run downwards, and from this room to agents, projection, ledger and tables.
"""

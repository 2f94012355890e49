"""The ports of the API: one Protocol for each object that the endpoints call. Bootstrap fits them in as
`EndpointServices`; tests may fit in their own.

command_ports ... acts: submits, cancels, clears, redrives, deletes, schedules, commands agents
query_ports ..... looks up: agents, tasks, pages, dead tasks, queue statistics, explanations

Neither imports the other, or anything of the API.
"""

"""Tells Prometheus of one agent, where its author, or the command line, gives it a port for that.

attempt_metrics ... counts and times attempts: an interceptor, around those of the author
scrape_server ..... serves them, with how the agent stands, over HTTP from a thread of its own

Nothing here is imported without that port, since the library is an extra:
`rabbitmq-agent-coordinator[metrics]`.
"""

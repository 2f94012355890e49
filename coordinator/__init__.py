"""A message-broker based, event-driven coordinator for fleets of agents, on RabbitMQ.

Two pipelines meet at the broker:

    producers ─▶ api ─▶ submission ─▶ broker ─▶ agents (the package `consumers`)
    agents ─▶ broker ─▶ registry, by the rules of domain ─▶ ledger ─▶ api ─▶ producers and operators

What is folded is told to who subscribes: ledger ─▶ streaming ─▶ api. What agents tell while they work comes
past the ledger: agents ─▶ broker ─▶ partial_output ─▶ api.

Each line imports from the lines below it alone; import-linter checks that.

commands ............. the command `coordinator`: serve, up, dashboard, demo, doctor, rebuild, agents, keys
api_commands ......... the commands that people use a service with: submit, tasks, wait, top and so on
demo, doctor ......... submits a mixed batch and watches it; inspects broker and ledger, and says what to mend
bootstrap ............ makes every object of the service, stage by stage, and runs it
web_server ........... serves the application over HTTP/1.1
api .................. HTTP: endpoints, and the JSON that they read and answer
dashboard ............ pages for people in a browser, which call the API by the client and know nothing else
metrics .............. counts what the service does, and tells it to Prometheus
submission ........... makes a task of a request and publishes it, confirmed
streaming ............ sends the events of the ledger to who subscribes, from any position on, as they happen
registry ............. folds events into the ledger, keeps agents in memory, answers queries
callbacks ............ tells the URLs that producers named what becomes of their tasks
partial_output ....... hears what running tasks tell of themselves, and hands it to who asks
recovery ............. retries, schedules, redrives, and puts right what went wrong on the way
tracing .............. spans of OpenTelemetry of what passes over the broker, where that is configured
domain ............... pure rules: what events make of a task, which agent may do it, when a tick is due
broker ............... AMQP: connections, confirmed publishing, batches, frames
agents ............... the agent SDK, `consumers`, under a name that no file of a project takes
agent_users .......... the users of agents on the broker, and what they may do
access ............... who calls the API and what they may do: keys, JWTs, roles, rates, the audit log
client ............... calls the API: for producers' programs, the demo, the dashboard and people's commands
rabbitmq_node ........ a private RabbitMQ as a child process
settings ............. declares, reads and checks every setting
protocol ............. messages, names and queues on the broker, as agents see them, too

On the ground, known to all: `errors` (the tree of errors), `environment` (variables), `near_names` (the
name that was probably meant), `log_lines` (each line as one JSON object), `logging_setup`, `task_log_context`
(fields of a log line about a task), `private_folder` and `private_file` (what is for this user alone) and
`interceptor_calls` (calls interceptors of publishes and folds), `missing_extra` (how to install what is
not there), `parent_death` (children that end with their parent), `unwritten_output` (the end of a command
whose output cannot be written) and `standard_streams` (which are open, if on /dev/null).
"""

__all__ = ["DISTRIBUTION", "__version__"]

__version__ = "0.1.0"

DISTRIBUTION = "rabbitmq-agent-coordinator"
"""The name on package indexes: what `pip install` is given. `agent-coordinator` is somebody else's there."""

"""Judges the facts. Each check is a pure function from `Facts` to findings.

access_checks ...... the broker answers, its virtual host is there, its user may use it
user_checks ........ the users of agents may do what was granted and no more, and are somebody's
version_checks ..... known defects of this version of RabbitMQ
node_checks ........ alarms of memory and disk, feature flags
topology_checks .... exchanges, queues and bindings are as the protocol has them
policy_checks ...... no policy harms a queue; how long an agent may hold a task
event_log_checks ... somebody reads the log; the queues beside it are emptied
ledger_claim_checks  the broker belongs to this ledger and to no other
ledger_checks ...... the ledger can be read, is of this version, has room; nothing lies about in it
applied_policies ... which of the policies applies to a queue
remedy_commands .... the commands that put things right, for the broker at hand
readable_amounts ... sizes, times and lists, as sentences say them
finding ............ a finding, and how serious it is

Arrows run down this list: of the checks, `topology_checks` alone knows another, `event_log_checks`.
"""

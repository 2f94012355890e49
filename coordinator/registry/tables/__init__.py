"""Defines the tables of the ledger and converts what the domain knows to their rows and back.

schema ..................... every table, and instants as integers
bulk_statements ............ finds, inserts and upserts many rows with one statement, in either database
unreadable_rows ............ leaves out rows that cannot be read, and logs each once
storable_text .............. replaces characters that some database does not take

event_rows ................. events, and which of them the ledger has
task_rows .................. tasks as the law sees them
task_message_lookup ........ the messages that tasks were submitted as
task_with_pending_events ... one task with the events over it that are not folded yet
stored_result .............. what a task came to, unread where it is large
row_bytes .................. how many rows of a page are read, by what they hold
dead_task_selection ........ dead tasks that match a filter
agent_rows ................. agents, without what heartbeats told
task_queue_rows ............ open task queues and their requirements
past_agent_offers .......... everything that agents ever offered
callbacks .................. what is to be told to the URLs that producers named, and how that stands
follow_ups ................. which follow-up tasks are to be cancelled with their parent
totals_rows ................ sums over tasks
labels ..................... by which labels tasks are found, and how many of a group are in each state

All but the schema are functions that take a connection, and run within the caller's transaction. This room
imports no other of the registry; of its own, a module imports those above it in this list.
"""

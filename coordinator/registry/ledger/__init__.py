"""Opens the ledger in SQLite or PostgreSQL, folds batches of events into it, and tells how it is.

database_url ........... reads where the database is
database_timeouts ...... limits how long it is waited for
database_engines ....... makes connections to it, set as the ledger needs them
database_errors ........ translates its errors: those that waiting may mend, and the others
parked_messages ........ keeps messages that could not be taken as events
parked_bounds .......... drops the oldest of them, where there are too many
batch_folding .......... folds a batch of events into all tables, within one transaction
ledger_rebuild ......... folds all kept events again
migrations ............. brings the tables of an older version to the newest
ledger ................. the open ledger: transactions in threads, one writer
database_clock ......... gives all coordinators of one ledger the same time
broker_claim ........... states on the broker which ledger it belongs to
undeliverable_queues ... notes which queues the broker cannot deliver from
inspection_results ..... what an inspection found
ledger_inspection ...... reads a ledger from outside, for `coordinator doctor`

A module imports those above it. The room imports `tables`, and no other of the registry.
"""

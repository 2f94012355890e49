"""Feeds streams with the events of the ledger: reads them after a position, and tells when there are more.

    projector ─▶ growth_broadcast ─▶ ledger.grew ─▶ live.<process> of who follows ─▶ `streaming`
    projector ─▶ folded_page ─▶ `streaming` of the same process
    ledger ────▶ recorded_events ──▶ `streaming`
    ledger ────▶ callback_leases ──▶ `callbacks`

event_details ...... what everybody may be told of an event: no token, no content, no result
recorded_events .... reads events after a position, each with the facts of its task
folded_page ........ makes the same of what this process has just folded, without asking the ledger
follow_request ..... asks the process that folds the log to tell this one when the ledger has grown
callback_leases .... leases due callbacks to a deliverer, each with the event that it tells
growth_broadcast ... tells it, in the process that folds the log, while somebody follows

A module imports those above it. The room imports `ledger` and `tables`; nothing of the registry imports it.
"""

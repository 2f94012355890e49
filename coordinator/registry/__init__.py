"""Folds the log into the ledger, hears the agents, and answers every question about tasks and agents.

    coordinator.log ─────▶ projection ──────▶ ledger ─▶ tables
    live.<process> ──────▶ agents ──────────▶ ledger, as snapshots now and then
    API ─────────────────▶ queries ─────────▶ ledger, agents, and what is on its way to either
    submission, recovery ▶ stores, upkeep ──▶ ledger

tables ....... the rows: every table, and what converts domain objects to rows and back
ledger ....... the database: opened, migrated, written one transaction at a time, rebuilt, inspected
stores ....... the SQL behind ports of `submission` and `recovery`: outbox, schedules, turns, keys
upkeep ....... the SQL behind the rounds of `recovery`, and what is forgotten after its time
projection ... the one projector that folds the log, and what it tells other processes
feed ......... the events of the ledger after a position, and the word that there are more: for streams
agents ....... every agent as this process hears it, with its snapshots in the ledger
queries ...... answers for the API, over the ledger, the agents and what is on its way to either

A room imports rooms above it in this list alone; `projection` knows neither stores nor upkeep, and upkeep
neither the projector nor the agents. Nothing outside this package knows SQL.
"""

"""Counts what the service does and tells how it stands, as Prometheus reads it: `GET /metrics`.

    submissions, publishes, folded batches ─▶ counted_figures ─▶ group_file ─┐ every process of the service
    queues, agents, ledger, lag ── read when asked ─▶ current_figures        ├─▶ metrics_page ─▶ Prometheus
                                                      process_figures ───────┘

metric_catalogue ....... names every metric, with its kind, its labels and what it means
counting ............... counts what one process does, by those below
counted_figures ........ keeps counters and histograms of one process as plain numbers, and adds them up
counters ............... counts each kind of thing that a process does
group_file ............. holds the figures of all processes of one service, so that each can tell the sum
current_figures ........ reads what is true now: queues, agents, backlogs
part_reader ............ reads the parts of that side by side, each within the time that Prometheus waits
lane_labels ............ bounds the number of lanes that have series of their own
projector_lag .......... measures how far the ledger is behind, by a mark through the log
process_figures ........ reads CPU, memory and files of each process from the system
exposition ............. writes figures in the formats of Prometheus: nobody else knows its library
metrics_page ........... answers a scrape, of the API or of a listener of its own

What happens often is counted as plain numbers, without a lock or a look-up of labels, since each submission
pays for it. Prometheus' own library is imported at the first scrape. The decision: docs/decisions/0031.
"""

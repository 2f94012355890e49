"""Streams what happens to subscribers: the third pipeline, from the events of the ledger to open connections.

    registry.feed ─▶ event_feed ─▶ subscriber_index ─▶ a subscription each ─▶ event_cursor ─▶ a stream
                        └──────▶ recent_events ─────────────────────────────────┘

event_filter ........ says which events a subscriber wants
stream_frames ....... the frames of server-sent events that are no event of the ledger
streamed_event ...... an event with its encodings, each of which is made once for all subscribers
subscription ........ the bounded queue of one subscriber, who is cut off where it does not keep up
subscriber_index .... finds the subscribers of an event without asking each of them
folded_pages ........ what this process has folded, so that it is not read from the ledger
recent_events ....... the latest events, for who comes back after a short while
feed_pace ........... how much is read at a time, and how much of the process subscribers may take
event_feed .......... reads the ledger after a wake-up, once for all subscribers of the process
event_cursor ........ replays from a position and goes on live, without a gap or a double
event_stream ........ the events of a filter as server-sent events
task_stream ......... one task, with what it says beside its events, to its end
subscriber_counts ... how many subscribers there are, for the metrics

A position is that of the ledger: the same in every process, whoever folds the log. Nothing here is stored,
and nothing is owed to a subscriber who is gone: it names the position that it has, and gets the rest. The
bounds are what one slow or greedy subscriber may cost the others: bytes in its queue, a share of the CPU for
all of them (`feed_pace.FeedPace`), and how many there may be.

A module imports those above it in this list alone. The room imports `registry.feed`; the API imports it.
"""

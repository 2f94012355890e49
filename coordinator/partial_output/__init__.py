"""Hears what handlers tell while they work, keeps the end of it, and hands it to who asks: partial output.

    coordinator.output ─▶ output_reader ─▶ output_checks ─▶ output_tails ─▶ output_subscriptions ─▶ HTTP
                          a queue of this    author, user,    the last KiB     one cursor for
                          process alone      token            of each run      each subscriber

It is no event and in no ledger: what is missed is missed, and told as a gap by the numbers of the chunks.
Each process that answers HTTP hears all of it, since who comes late wants what was said before.

output_reader ........ the session that reads the queue
output_checks ........ whether the message came by its way, from its author, with the token of the attempt
output_frames ........ frames of server-sent events, for the stream of a task, and messages of a WebSocket
output_subscriptions . wakes those who follow a task; the port of the HTTP API
output_of_all ........ follows all tasks at once, for one subscriber
output_tails ......... the tails of all tasks, bounded by bytes
output_tail .......... the last chunks of one run, and a cursor over them and those of the runs behind it
output_items ......... what a subscriber is told
output_counts ........ what is counted

Arrows run down this list. Never happens: a subscriber that does not keep up holds up another, or the reader.
"""

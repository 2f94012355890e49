"""Decides what is sent, what an answer means and whether it is sent again. Does no I/O.

programs ........... what the drivers run: steps, to be done in their order
retry_rule ......... whether a request is sent again, and when
answer_errors ...... the error of the tree that an answer is
answer_reading ..... JSON of an answer, read into a dataclass
server_sent_events . bytes of a stream, parsed into frames
http_messages ...... a request and an answer, as plain data
"""

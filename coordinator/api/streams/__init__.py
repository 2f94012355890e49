"""Answers with streams: what happens is sent as it happens, over an answer that does not end.

event_stream_query ... reads which events a subscriber wants, and from which position on
stream_answer ........ an answer of server-sent events: `Accept`, headers, and until the client is gone
opened_stream ........ counts a stream, also among those of its caller, for as long as it lasts
event_streams ........ GET /events
task_streams ......... GET /tasks/{task_id}/stream

shared_metrics ....... measures the statistics of the service once for all subscribers
websocket_messages ... reads and writes the messages of a WebSocket
websocket_session .... takes subscriptions to topics, and sends what they bring
websocket_endpoint ... /ws

Arrows run up each of the two lists, and the second uses the query and the counting of the first. What is
streamed comes from `coordinator.streaming`.
"""

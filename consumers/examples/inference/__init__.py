"""Sends prompts to an endpoint that speaks the OpenAI chat protocol.

agent ............ the interpreter
chat_handler ..... a task's prompt to a completion, told word by word; which errors are worth a retry
chat_endpoint .... the client
http_deadline .... ends an answer that does not end by itself
streamed_answer .. pieces of a completion, joined
event_stream ..... Server-Sent Events
"""

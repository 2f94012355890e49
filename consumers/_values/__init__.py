"""Makes plain values of what handlers own: pure functions, without a loop and without a broker.

result_encoding ......... a result as JSON, or why it is none
undeclared_values ....... what a model holds without a declared type
model_input ............. a task's data as the pydantic model that its handler declares
call_numbers ............ tells equal calls of one attempt apart, the same in each of its runs
asked_question .......... what is asked of people, as JSON
follow_up_wish .......... what a handler submits, as JSON, and what came of it
output_chunk ............ a chunk of partial output as JSON
printable_text .......... text of any object, whatever its methods do
requested_retry_pause ... how long a handler asks to wait
handler_limits .......... time-outs and sizes of one attempt
attempt_log_context ..... the fields of a log line about a task
"""

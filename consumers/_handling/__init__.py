"""Runs one handler on one attempt: on the loop or in a thread, through the interceptors, until it ends or is
given up.

handler_run ............ the life of one run: time-outs, being told to stop, grace
run_timers ............. how long it may take, and be silent
stop_reason ............ why it is told to stop, and what becomes of the attempt
handler_call ........... the call itself, on the loop or in a thread
interceptor_chain ...... interceptors around it
handler_threads ........ daemon threads for plain functions
attempt_spans .......... a span of OpenTelemetry around each attempt, where that is configured
handler_environment .... what all runs of an agent share
calls_from_handlers .... it waits for an answer, on the loop or in a thread
answer_wait ............ what it asks people, until there is an answer
artifact_transfers ..... artifacts that it stores and fetches, in threads of their own
output_buffer .......... what it emits: numbered, held until it is published, within a limit
progress_throttle ...... progress, an event a second at most
sys_exit_containment ... `sys.exit` in a task of a handler ends nothing but the task

It knows no broker: an outcome is given to whoever began the run.
"""

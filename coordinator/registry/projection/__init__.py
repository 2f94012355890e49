"""Folds the log into the ledger, in one process at a time, and tells the others how far that is.

    coordinator.log ─▶ log_decoder ─▶ projector ─▶ projector_fence ─▶ ledger
                                        ├─▶ command_sender ─▶ agents
                                        └─▶ read_barrier, task_end_broadcast,
                                            fold_problem_broadcast ─▶ all coordinators

event_validation ......... checks an event before it is folded
message_origin ........... checks the way by which a message came to the log
left_out_fields_log ...... logs fields that could not be read and were left out
log_decoder .............. reads events out of the log's messages, and parks the others
fold_interceptors ........ the port of what sees each transaction of the projector
interceptors ............. those of the service itself: logs of ended tasks and of what was parked, floods
command_sender ........... sends commands to agents, without a promise
projector_fence .......... lets the latest epoch write, and no other
projector ................ the loop: read, fold in one transaction, tell, acknowledge
read_barrier ............. waits until the ledger has all that was confirmed before
task_end_waiters ......... wakes who waits for the end of a task, in this process
task_end_broadcast ....... tells all processes which tasks have ended
fold_problem_broadcast ... tells all processes what keeps the projector from folding
log_folding_watch ........ knows in the other processes whether the log is folded

A module imports those above it. The room imports `ledger` and `tables`; `agents` and `queries` import it.
"""

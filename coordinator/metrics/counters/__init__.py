"""Counts each kind of thing that one process does, as plain numbers of `counted_figures`.

submission_counting .... counts tasks that are submitted, and times their submissions
error_counting ......... counts requests that were answered with an error, by status code
publish_counting ....... counts publishes and times their confirms: a publish interceptor
fold_counting .......... counts what becomes of tasks, where it is folded: a fold interceptor
output_counting ........ counts the chunks of partial output that are heard, told and refused

None knows another; `counting` makes them.
"""

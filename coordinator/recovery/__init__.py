"""What puts right what went wrong on the way, and does what was put off.

outbox ....... retries, schedules and redrives, put on their queue when they are due
ticks ........ the runs of recurring schedules
cancelling ... a task is ended by request
redriving .... ended tasks are sent round again
deadlines .... tasks that were not started in time are ended
reconciler ... tasks that are missing from their queue
lost ......... running attempts that nobody works on
rounds ....... one coordinator at a time looks for either
unrouted ..... tasks whose queue was missing
"""

"""What puts right what went wrong on the way, and does what was put off.

outbox ...... retries, schedules and redrives, put on their queue when they are due
unrouted .... tasks whose queue was missing
"""

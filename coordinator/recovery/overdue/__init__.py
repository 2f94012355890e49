"""Ends what tasks wait for beyond its time: a start, an answer of people, a parent that is no more.

missed_deadlines ........ ends tasks that were not started in time
unanswered_questions .... ends the wait for answers whose time is over
follow_up_cancellations . cancels follow-up tasks whose parent was stopped
overdue_ends ............ polls the ledger by such a rule, and publishes the ends
"""

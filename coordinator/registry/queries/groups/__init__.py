"""Tells how the tasks of a group stand, and waits for their ends.

group_progress ... the counts of a group, now or once tasks of it have ended

It reads the counts that are folded (`tables.labels.group_total_rows`), and no task.
"""

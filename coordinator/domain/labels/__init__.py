"""Finds tasks by what their producers call them: groups, tags and values of their metadata. Pure.

task_labels .... the words of a task in one form, and a filter by them
group_counts ... how many tasks of each group are in each state

The second knows nothing of the first.
"""

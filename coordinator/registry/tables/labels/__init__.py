"""Keeps by which labels tasks are found, and how many tasks of each group are in each state.

label_rows ......... a row for each label of a task, and conditions that a task has some
group_total_rows ... a number for each state of a group, added to with each batch that is folded

Neither knows the other. Both are written where tasks are: when events are folded, and when tasks are
forgotten.
"""

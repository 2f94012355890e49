"""Answers about groups of tasks: how they stand, the moment that they have ended, and their cancellation.

group_answers ..... reads and writes what these endpoints take and answer
group_endpoints ... GET /groups/{group_id}, /wait and /cancel

Who may see its own tasks alone is told of those, and a group without any is none to it.
"""

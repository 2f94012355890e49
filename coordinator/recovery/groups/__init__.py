"""Does to all tasks of a group what is asked for by request.

group_canceller ... cancels those that have not ended
"""

"""Keeps the task queues on the broker right: each exists while it is wanted, and holds what belongs on it.

lane_mover ......... moves waiting tasks to the lane of their type, once that is announced
task_rerouter ...... publishes each message of a queue to the lane of its type
requested_retirement  retires a lane because an operator asks for it
queue_retirement ... retires queues that nobody has used for long, and deletes them
unrouted_tasks ..... opens queues that were deleted by hand, and sends on the tasks that had none

`lane_mover` uses `task_rerouter`, and `requested_retirement` uses `queue_retirement`; none of the others
knows another.
"""

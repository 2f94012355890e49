"""Sees each transaction of the projector for the service itself, beside metrics and spans: fold interceptors.

parked_messages_log ... counts and logs what was parked
parked_floods ......... notices floods of what was parked, and names their authors
task_end_log .......... logs one line for each task that ends
group_ends ............ names the groups of which tasks have ended, for those who wait

None knows another; their port is `fold_interceptors`.
"""

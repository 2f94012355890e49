"""Guards the API: who calls is found out before anything else, what they may do before an endpoint runs.

authentication .... finds the caller of every request, the lean submissions included; 401 and 429
caller ............ hands the caller to the route, and to endpoints as their parameter `caller`
endpoint_roles .... the role that each endpoint needs, in one table; 403
own_things ........ lets callers at tasks, and an agent, of their own
batch_cost ........ counts a batch as its tasks
audited_answers ... writes what was done to the audit log

Arrows run up this list: `endpoint_roles` and `caller` know no other.
"""

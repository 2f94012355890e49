"""What somebody can do who may publish whatever the broker takes: nothing to anybody else.

actors ................. an agent's user that publishes by hand, by any way there is
forgeries .............. each message that speaks for another, or says what its sender may not
stages ................. a service that requires identity, with somebody to be spoken for
test_forged_identities . all of them, against a service that requires identity
test_requests_of_agents  requests in another's name, to be registered or to have queues opened
test_named_tasks ....... heartbeats that name tasks of others
test_old_attempts ...... who had an earlier attempt of a task, and speaks of a later one
test_least_privilege ... what the user of an agent may not do, by every way that AMQP has
test_true_actors ....... those whom identity leaves alone

Inputs are harmless: they name tasks and agents of the test.
"""

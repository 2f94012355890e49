"""What somebody can do who may publish whatever the broker takes: nothing to anybody else.

actors ................. an agent's user that publishes by hand, by any way there is
forgeries .............. each message that speaks for another, or says what its sender may not
test_forged_identities . all of them, against a service that requires identity
test_true_actors ....... those whom identity leaves alone

Inputs are harmless: they name tasks and agents of the test.
"""

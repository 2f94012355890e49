"""Makes what callbacks need: the check at submission, and the deliverer beside the projector.

callback_stage ... both, and what the API lists and redrives
"""

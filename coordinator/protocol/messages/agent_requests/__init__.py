"""Defines what agents ask of coordinators while they work, beside to be registered.

follow_up ... a running attempt has another task submitted, and is answered
"""

"""Keeps which follow-up tasks are to be cancelled with the tasks whose handlers have submitted them.

cancellation_rows ... orders it, and drops what has ended
"""

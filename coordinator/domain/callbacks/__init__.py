"""Holds the rules of callbacks: which events of a task are told, and what follows from each try. Pure.

callback_events ..... says by which words a callback asks, and whether a fold is told under one of them
callback_delivery ... holds one telling of one event: where it stands
delivery_outcome .... decides after a try: delivered, once more after a pause, or dead

The second module below knows the others, and nothing here knows who calls it.
"""

"""Answers about callbacks.

callback_deliveries ... lists deliveries, and tries dead ones again
"""

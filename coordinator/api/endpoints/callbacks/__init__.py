"""Answers about callbacks.

callback_endpoints ... lists deliveries, and tries dead ones again
"""

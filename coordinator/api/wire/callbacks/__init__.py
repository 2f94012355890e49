"""Reads and writes callbacks: whom a task is told to, and how that stands.

callback_body ......... what a submission asks for
callback_deliveries ... deliveries as answers tell them; which of them a request means
"""

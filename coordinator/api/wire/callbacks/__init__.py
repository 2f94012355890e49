"""Reads and writes callbacks: whom a task is told to, and how that stands.

callback_body ......... what a submission asks for
delivery_shapes ....... deliveries as answers tell them; which of them a request means
callback_operation .... the POST that a receiver gets, for the OpenAPI document
"""

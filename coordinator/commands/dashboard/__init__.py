"""Runs `coordinator dashboard`: the pages for people in a process of their own, of a service anywhere.

dashboard_command ... serves them
dashboard_parser .... parses the options

Neither knows the other.
"""

"""Converts callbacks to rows and back.

callback_rows ... what is to be told to the URLs that producers named, and how that stands
"""

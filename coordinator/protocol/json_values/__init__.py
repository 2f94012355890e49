"""Reads JSON as clients of any language write it, and limits what is taken.

lenient_reading ... an event or a request, with the fields that cannot be read left out
json_instants ..... an instant, as text or number
json_digest ....... tells one JSON value from another
json_limits ....... depth, numbers and characters that both sides take
array_splitting ... the text of each item of an array, for batches
"""

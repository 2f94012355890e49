"""Cuts a JSON array into the text of each item, without parsing the items.

For an array that no parser takes as a whole, because of one item: nested too deep, a number of five
thousand digits, half a surrogate pair, an unknown word. Strings and brackets are all that it looks at.
"""

from __future__ import annotations

import re

__all__ = ["items_of"]

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
"""A string that does not end takes all that is left: sought again from each quote in it, it would take time
that grows with the square of the message."""


def items_of(array: bytes) -> list[bytes] | None:
    """The items of ``array``, each as it is written; None where brackets do not match."""
    text = array.strip()
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return None
    items: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word in b"[{":
            depth += 1
        elif word in b"]}":
            depth -= 1
        if depth == 0 or (depth == 1 and word == b","):
            items.append(text[start : token.start()].strip())
            start = token.end()
        if depth == 0 and start != len(text):
            return None
    if depth != 0:
        return None
    return [] if items == [b""] else items

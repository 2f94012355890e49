"""Joins the pieces of a chat completion that an endpoint streams, and tells each as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["NoCompletion", "StreamBroken", "joined_answer"]

DONE = "[DONE]"
"""Stands in the place of data behind the last piece."""


class NoCompletion(Exception):
    """Says that a piece is none of a chat completion, or tells an error of the endpoint."""


class StreamBroken(Exception):
    """Says that the stream ended before the completion did."""


def joined_answer(
    pieces: Iterable[str], model: str, *, on_text: Callable[[str], None]
) -> dict[str, Any]:
    """The completion as if it had come at once. ``pieces`` are the data of the events; ``on_text`` is called
    with each bit of text that is not empty, and may raise to stop. Raises `NoCompletion` or `StreamBroken`.
    """
    said: list[str] = []
    told: dict[str, Any] = {"finish_reason": None, "model": model, "usage": None}
    for piece in pieces:
        if piece == DONE:
            return {"text": "".join(said), **told}
        text = _read(piece, told)
        if text:
            said.append(text)
            on_text(text)
    if told["finish_reason"] is None:
        raise StreamBroken("The endpoint's answer ended in the middle")
    return {"text": "".join(said), **told}


def _read(piece: str, told: dict[str, Any]) -> str:
    """The text of one piece; what else it tells is put into ``told``."""
    try:
        found = json.loads(piece)
        error = found.get("error")  # null, with some, where all is well
        if error is not None:
            raise NoCompletion(str(error["message"] if isinstance(error, dict) else error)[:300])
        told["model"] = found.get("model") or told["model"]
        told["usage"] = found.get("usage") or told["usage"]
        text = ""
        for choice in found["choices"][:1]:  # none in the one that tells the usage
            told["finish_reason"] = choice.get("finish_reason") or told["finish_reason"]
            text = choice["delta"].get("content") or ""
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NoCompletion(f"not a piece of a chat completion: {piece[:200]!r}") from exc
    if not isinstance(text, str):
        raise NoCompletion(f"not a piece of a chat completion: {piece[:200]!r}")
    return text.encode(errors="replace").decode()  # half a character has no form in JSON

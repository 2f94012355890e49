"""Writes the body that every error has, whoever answers it: the application, or the server in front of it.

error_codes ... names each kind of error with one word, for programs
error_shape ... puts a sentence and such a word into the body

error_shape ─▶ error_codes
"""

from .error_codes import CODES, STATUS_CODES, code_of
from .error_shape import error_shape, refusal_shape

__all__ = ["CODES", "STATUS_CODES", "code_of", "error_shape", "refusal_shape"]

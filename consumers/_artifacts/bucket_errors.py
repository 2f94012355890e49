"""Tells what a bucket has answered as errors of artifacts, by the code of S3 where there is one.

Without their cause: obstore's errors tell the whole answer, which may repeat a session's token, and the
traceback of an attempt goes to the ledger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from .._values.printable_text import printable_text
from .artifact_errors import ArtifactMissing, ArtifactStoreRefused, ArtifactStoreUnavailable

__all__ = ["troubles_told", "why"]

MAX_WHY = 300

_CODE = re.compile(r"<Code>(\w+)</Code>", re.ASCII)

_OTHER_REGION = "is in another region than this agent asks: set AWS_REGION to the bucket's own"

_SESSION_OVER = (
    "takes the session token of this agent no more: give it a new one in AWS_SESSION_TOKEN, and start the"
    " agent again"
)

_FOR_THE_OPERATOR = {
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "PermanentRedirect": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "ExpiredToken": _SESSION_OVER,
    "InvalidToken": _SESSION_OVER,
    "TokenRefreshRequired": _SESSION_OVER,
    "InvalidBucketName": "is no name that this store gives to a bucket: correct COORDINATOR_ARTIFACTS",
    "RequestTimeTooSkewed": "has another time than this machine: set the clock",
}
"""What each code asks for. S3 answers most of them with the status 400, as if the request were wrong."""

_NO_LOCATION = "Received redirect without LOCATION"
"""Of obstore, for the redirect of S3 to another region, which says in its text alone where to."""


@contextmanager
def troubles_told(store: str, *, missing: str | None = None) -> Iterator[None]:
    """``store`` is its address; ``missing`` is the key that may not be there, else it is the bucket."""
    try:
        yield
    except FileNotFoundError as exc:
        if missing is None or _code(exc) == "NoSuchBucket":
            raise ArtifactStoreRefused(f"{store}: there is no such bucket") from None
        raise ArtifactMissing(f"{store} has no artifact {missing}") from None
    except BaseError as exc:
        raise _told(store, exc) from None


def _told(store: str, exc: BaseError) -> ArtifactStoreRefused | ArtifactStoreUnavailable:
    asked = _FOR_THE_OPERATOR.get(_code(exc) or "")
    if asked is None and _NO_LOCATION in str(exc):
        asked = _OTHER_REGION
    if asked is None and isinstance(exc, PermissionDeniedError | UnauthenticatedError):
        asked = "refuses the credentials of this agent (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
    if asked is None:
        return ArtifactStoreUnavailable(f"{store}: {why(exc)}")
    return ArtifactStoreRefused(f"{store} {asked}: {why(exc)}")


def why(exc: BaseException) -> str:
    """The code that S3 has answered goes first; the rest of the answer is left out."""
    sentence = str(exc).partition("\n")[0].partition("<")[0].rstrip(" :")
    code = _code(exc)
    return printable_text(f"{code}: {sentence}" if code else sentence, MAX_WHY)


def _code(exc: BaseException) -> str | None:
    """Of S3, where it has answered."""
    found = _CODE.search(str(exc))
    return found[1] if found else None

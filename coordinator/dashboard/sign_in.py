"""Takes a key from a person where the service asks for one, and forgets it when they sign out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from coordinator.client import ApiError, ClientError, Misconfigured, NotAuthenticated

from .form_fields import FormRefused, read_form
from .key_cookie import LONGEST_KEY, forget_key, keep_key, key_of
from .page_requests import PageRequests
from .viewer import Page, caller_behind

__all__ = ["SignIn"]

_UNKNOWN = (
    "The coordinator does not know this key, or it has ended: `coordinator keys list` tells which"
    " count."
)


class SignIn:
    """Answers the page with the field for the key, and its two forms."""

    def __init__(self, requests: PageRequests, base: str) -> None:
        self._requests = requests
        self._base = base

    async def show(self, request: Request) -> Response:
        """The field for the key; says so where the one in the cookie counts no more."""
        return self._page(request, _UNKNOWN if key_of(request) is not None else None)

    async def sign_in(self, request: Request) -> Response:
        """Keeps a key that counts."""
        try:
            key = (await read_form(request)).needed("key")
            if len(key) > LONGEST_KEY:
                raise FormRefused(f"The key has more than {LONGEST_KEY} characters: use an API key")
            address = None if request.client is None else (request.client.host, request.client.port)
            async with self._requests.api.client(key, address) as client:
                await caller_behind(client)
        except NotAuthenticated:
            return self._page(request, _UNKNOWN, 401)
        except Misconfigured as exc:
            return self._page(request, str(exc), 422)
        except FormRefused as exc:
            return self._page(request, str(exc), exc.status)
        except ClientError as exc:
            status = exc.status if isinstance(exc, ApiError) else 502
            return self._page(request, str(exc), status)
        answer = RedirectResponse(f"{self._base}/", 303)
        keep_key(answer, request, key, path=self._base)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """Forgets the key."""
        answer = RedirectResponse(f"{self._base}/sign-in", 303)
        forget_key(answer, request, path=self._base)
        return answer

    def _page(self, request: Request, sentence: str | None, status: int = 200) -> Response:
        page = Page(
            template="sign_in", title="Sign in", values={"sentence": sentence}, status=status
        )
        return self._requests.rendered(request, page)

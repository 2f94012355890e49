"""Makes a method of each client of one call, with its parameters, so that neither client repeats them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, Generic, ParamSpec, Protocol, Self, TypeVar, overload

from .calls.page_walk import every
from .exchange.http_messages import Call
from .exchange.programs import Circumstances, Program, asked
from .models.pages import Page

__all__ = ["Awaited", "AwaitedPages", "Blocking", "BlockingPages"]

P = ParamSpec("P")
Result = TypeVar("Result")


class _BlockingRunner(Protocol):
    """Runs a program, and returns what it returns."""

    @property
    def now(self) -> Circumstances: ...
    def run(self, program: Program[Result]) -> Result: ...
    def items(self, program: Program[None]) -> Iterator[Any]: ...


class _AsyncRunner(Protocol):
    """Runs a program, and returns what it returns, once it is awaited."""

    @property
    def now(self) -> Circumstances: ...
    async def run(self, program: Program[Result]) -> Result: ...
    def items(self, program: Program[None]) -> AsyncGenerator[Any, None]: ...


class _Bound(Generic[P, Result]):
    """Is what a class has; its instances have the method."""

    def __init__(self, call: Callable[P, Call[Result]]) -> None:
        """``call`` is called with the arguments of the method, and raises what is wrong with them."""
        self._call = call
        self.__doc__ = call.__doc__
        self.__wrapped__ = call  # for `help`

    def _walk(self, now: Circumstances, args: Any, kwargs: Any) -> Program[None]:
        """Emits what is on all pages, of a call that gives one."""

        def page(cursor: str | None) -> Call[Page[Any]]:
            asked_for: Any = self._call(*args, **kwargs | {"cursor": cursor})
            found: Call[Page[Any]] = asked_for
            return found

        return every(page, now)


class Blocking(_Bound[P, Result]):
    """Is a method of the blocking client."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: _BlockingRunner, owner: type) -> Callable[P, Result]: ...
    def __get__(self, client: _BlockingRunner | None, owner: type) -> Any:
        if client is None:
            return self

        @wraps(self._call)
        def method(*args: P.args, **kwargs: P.kwargs) -> Result:
            return client.run(asked(self._call(*args, **kwargs), client.now))

        return _signed(method, self._call)


class Awaited(_Bound[P, Result]):
    """Is a method of the asynchronous client."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: _AsyncRunner, owner: type) -> Callable[P, Awaitable[Result]]: ...
    def __get__(self, client: _AsyncRunner | None, owner: type) -> Any:
        if client is None:
            return self

        @wraps(self._call)
        async def method(*args: P.args, **kwargs: P.kwargs) -> Result:
            return await client.run(asked(self._call(*args, **kwargs), client.now))

        return _signed(method, self._call)


class BlockingPages(_Bound[P, Page[Result]]):
    """Is a method of the blocking client that iterates over all pages of what the call asks for."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: _BlockingRunner, owner: type) -> Callable[P, Iterator[Result]]: ...
    def __get__(self, client: _BlockingRunner | None, owner: type) -> Any:
        if client is None:
            return self
        return lambda *args, **kwargs: client.items(self._walk(client.now, args, kwargs))


class AwaitedPages(_Bound[P, Page[Result]]):
    """Is a method of the asynchronous client that iterates over all pages of what the call asks for."""

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self, client: _AsyncRunner, owner: type
    ) -> Callable[P, AsyncGenerator[Result, None]]: ...
    def __get__(self, client: _AsyncRunner | None, owner: type) -> Any:
        if client is None:
            return self
        return lambda *args, **kwargs: client.items(self._walk(client.now, args, kwargs))


def _signed(method: Callable[..., Any], call: Callable[..., Any]) -> Callable[..., Any]:
    """With the parameters of ``call``, and what a call comes to in the place of the call."""
    told = str(inspect.signature(call).return_annotation)
    comes_to = told.removeprefix("Call[").removesuffix("]")
    method.__signature__ = inspect.signature(call).replace(  # type: ignore[attr-defined]
        return_annotation=comes_to
    )
    return method

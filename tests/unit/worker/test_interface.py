"""Which interface an application speaks."""

import functools
from typing import Any

from tests.support.each import each
from zerogate.worker.interface import ASGI2, ASGI3, WSGI, interface_of, is_async, is_factory, signature_of, takes


async def function(scope: Any, receive: Any, send: Any) -> None: ...


def returns_awaitable(scope: Any, receive: Any, send: Any) -> Any: ...


async def any_at_all(*args: Any, **kwargs: Any) -> None: ...


async def with_more(scope: Any, receive: Any, send: Any, extra: Any = None) -> None: ...


async def other_names(a: Any, b: Any, c: Any) -> None: ...


def with_an_option(scope: Any, receive: Any, send: Any = None) -> Any: ...


class Instance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


class Awaitable:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any: ...


def view(request: Any) -> Any: ...


@functools.wraps(view)
async def wrapped(scope: Any, receive: Any, send: Any) -> None: ...


@functools.wraps(returns_awaitable)
def wrapped_by_any(*args: Any) -> Any: ...


class Iterable:
    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


class Wsgi:
    def __call__(self, env: Any, start: Any) -> Any: ...


def wsgi(environ: Any, start_response: Any) -> Any: ...


def wsgi_with_more(environ: Any, start_response: Any, depth: int = 0) -> Any: ...


def wsgi_by_its_last(e: Any, start_response: Any, *more: Any) -> Any: ...


@functools.wraps(wsgi)
def wrapped_wsgi(*args: Any, **kwargs: Any) -> Any: ...


class Asgi2:
    def __init__(self, scope: Any) -> None: ...

    async def __call__(self, receive: Any, send: Any) -> None: ...


def asgi2(scope: Any) -> Any: ...


class Channels:
    def __call__(self, scope: Any) -> Any: ...


class NoRequest:
    def __init__(self, name: Any) -> None: ...

    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class Untold:
    __signature__ = "nonsense"

    def __call__(self, *args: Any) -> Any: ...


class AlwaysAsync:
    async def __call__(self, *args: Any) -> Any: ...


def any_arguments(*args: Any) -> Any: ...


def factory(name: str = "x") -> Any: ...


async def async_factory() -> Any: ...


async def two(receive: Any, send: Any) -> None: ...


def four(a: Any, b: Any, c: Any, d: Any) -> Any: ...


def untellable(a: Any, b: Any, c: Any = None) -> Any: ...


@each(
    ("found", "interface"),
    [
        (function, ASGI3),
        (returns_awaitable, ASGI3),
        (any_at_all, ASGI3),
        (with_more, ASGI3),
        (with_an_option, ASGI3),
        (other_names, ASGI3),
        (Instance(), ASGI3),
        (Instance().method, ASGI3),
        (AlwaysAsync(), ASGI3),
        (Awaitable, ASGI3),
        (functools.partial(with_more, extra=1), ASGI3),
        (lambda scope, receive, send: None, ASGI3),
        (wrapped, ASGI3),
        (wrapped_by_any, ASGI3),
        (Iterable, WSGI),
        (Wsgi(), WSGI),
        (wsgi, WSGI),
        (functools.partial(wsgi_with_more, depth=1), WSGI),
        (wsgi_with_more, WSGI),
        (wsgi_by_its_last, WSGI),
        (wrapped_wsgi, WSGI),
        (lambda a, b: None, WSGI),
        (Asgi2, ASGI2),
        (asgi2, ASGI2),
        (Channels(), ASGI2),
        (view, None),
        (two, None),
        (four, None),
        (factory, None),
        (async_factory, None),
        (any_arguments, None),
        (untellable, None),
        (Untold(), None),
        (Untold, None),
        (Instance, None),
        (NoRequest, None),
    ],
)
def test_told_by_how_it_is_called(found: Any, interface: str | None) -> None:
    assert interface_of(found) == interface


def test_factories() -> None:
    assert is_factory(factory)
    assert is_factory(async_factory)
    assert is_factory(Instance)
    assert not is_factory(any_arguments)
    assert not is_factory(wsgi)
    assert not is_factory(Untold())


def test_what_is_awaited() -> None:
    assert is_async(functools.partial(functools.partial(function)))
    assert is_async(Instance())
    assert not is_async(Wsgi())


def test_how_many_it_takes() -> None:
    signature = signature_of(with_more)
    assert signature is not None
    assert [n for n in range(6) if takes(signature, n)] == [3, 4]
    assert signature_of(Untold()) is None

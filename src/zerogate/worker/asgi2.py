"""ASGI 2 applications, which are called twice, as those of ASGI 3."""

from collections.abc import Awaitable, Callable

from zerogate.worker.asgi_types import Application, Receive, Scope, Send

Asgi2Application = Callable[[Scope], Callable[[Receive, Send], Awaitable[None]]]


def as_asgi3(application: Asgi2Application) -> Application:
    """The same application. `application(scope)` is in the same task as the rest."""

    async def called_once(scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope)(receive, send)

    return called_once

"""A WSGI application: it speaks no WebSocket."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/events":
        start_response("200 OK", [("content-type", "text/event-stream")])
        return events()
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"plain"]


def events() -> Iterator[bytes]:
    """One at once, and then comments, until the client leaves."""
    yield b"data: hello\n\n"
    while True:
        time.sleep(0.05)
        yield b":\n\n"

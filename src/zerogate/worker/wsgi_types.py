"""Names of WSGI that the worker's parts share."""

from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], None]]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

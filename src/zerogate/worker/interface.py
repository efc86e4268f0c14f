"""Which interface an application speaks, told by how it can be called. It is not called for that.

| interface | is called as |
| --- | --- |
| asgi3 | `await application(scope, receive, send)` |
| asgi2 | `await application(scope)(receive, send)` |
| wsgi | `application(environ, start_response)`, and returns what can be iterated |
"""

import functools
import inspect
from typing import Any, Final

ASGI3: Final = "asgi3"
ASGI2: Final = "asgi2"
WSGI: Final = "wsgi"

# For people.
INTERFACE_WORDS: Final = {ASGI3: "ASGI", ASGI2: "ASGI 2", WSGI: "WSGI"}

# What it is called with.
N_ARGUMENTS: Final = {ASGI3: 3, ASGI2: 1, WSGI: 2}

# What those who write applications call their arguments. Looked at only where their number does not tell.
_FIRST_NAMES = {"scope": ASGI3, "environ": WSGI, "env": WSGI}
_LAST_NAMES = {"send": ASGI3, "start_response": WSGI}


def interface_of(found: Any) -> str | None:
    """The interface of a callable; None if it has none of them, or does not tell."""
    if inspect.isclass(found):
        return _interface_of_class(found)
    signature = signature_of(found)
    if signature is None:
        return None
    if _takes_any(signature):
        return ASGI3 if is_async(found) else _by_names(signature_of(found, follows=True) or signature)
    takes_two, takes_three = takes(signature, 2), takes(signature, 3)
    if is_async(found):
        return ASGI3 if takes_three and not takes(signature, 0) else None
    if takes(signature, 0):
        return None
    if takes_two and takes_three:
        return _by_names(signature)
    if takes_two or takes_three:
        return WSGI if takes_two else ASGI3
    return ASGI2 if takes(signature, 1) and next(iter(signature.parameters)) == "scope" else None


def is_factory(found: Any) -> bool:
    """Whether it has to be called, without anything, to have an application."""
    signature = signature_of(found)
    return signature is not None and takes(signature, 0) and not _takes_any(signature)


def signature_of(found: Any, *, follows: bool = False) -> inspect.Signature | None:
    """Of the outermost wrapper: that is who will be called. None if it does not tell. `follows`: of the innermost."""
    try:
        return inspect.signature(found, follow_wrapped=follows)
    except (TypeError, ValueError):
        return None


def takes(signature: inspect.Signature, n: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        signature.bind(*range(n))
    except TypeError:
        return False
    return True


def is_async(found: Any) -> bool:
    """Whether a call of it is to be awaited."""
    while isinstance(found, functools.partial):
        found = found.func
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)


def _interface_of_class(found: type[Any]) -> str | None:
    """Of a class whose instances are a request each: by what can be done with one."""
    signature = signature_of(found)
    if signature is None or takes(signature, 0):
        return None
    if takes(signature, 3) and hasattr(found, "__await__"):
        return ASGI3
    if takes(signature, 2) and hasattr(found, "__iter__"):
        return WSGI
    call = getattr(found, "__call__", None)  # noqa: B004 - the method of instances, not whether the class can be called
    if takes(signature, 1) and inspect.iscoroutinefunction(call) and takes(inspect.signature(call), 3):
        return ASGI2
    return None


def _takes_any(signature: inspect.Signature) -> bool:
    return any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values())


def _by_names(signature: inspect.Signature) -> str | None:
    names = [name for name, each in signature.parameters.items() if each.kind is not each.VAR_POSITIONAL]
    known = [kind for name in names if (kind := _FIRST_NAMES.get(name) or _LAST_NAMES.get(name))]
    return known[0] if known else None

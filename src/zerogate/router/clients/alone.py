"""What keeps a bug that one client meets from all others."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class Breakable(Protocol):
    """What can be ended midway."""

    def break_off(self, error: Exception) -> None:
        """End, and say in the log why. Never raises."""


B = TypeVar("B", bound=Breakable)
P = ParamSpec("P")
R = TypeVar("R")


def alone(method: Callable[Concatenate[B, P], R]) -> Callable[Concatenate[B, P], R | None]:
    """An exception in this method ends its object, and does not reach who called: it is not the caller's matter."""

    @functools.wraps(method)
    def contained(item: B, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(item, *args, **kwargs)
        except Exception as error:
            item.break_off(error)
            return None

    return contained

"""Settings as keyword arguments of somebody else's: named, typed and checked once, in `settings/`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from zerogate.settings import Settings

P = ParamSpec("P")
A = ParamSpec("A")
S = TypeVar("S", bound=Settings)
T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")


def takes_options(kind: Callable[P, S]) -> Callable[[Callable[[T, S], R]], Callable[Concatenate[T, P], R]]:
    """A function of one argument and settings is called with that one and the options of `kind`."""

    def decorate(function: Callable[[T, S], R]) -> Callable[Concatenate[T, P], R]:
        @functools.wraps(function)
        def with_options(first: T, /, *args: P.args, **options: P.kwargs) -> R:
            check_names(kind, options)
            return function(first, kind(*args, **options))

        tell_options(with_options, function, kind, 1)
        return with_options

    return decorate


def takes_more_options(
    kind: Callable[P, S],
) -> Callable[[Callable[[T, U, S], R]], Callable[Concatenate[T, U, P], R]]:
    """The same for a function of two arguments and settings."""

    def decorate(function: Callable[[T, U, S], R]) -> Callable[Concatenate[T, U, P], R]:
        @functools.wraps(function)
        def with_options(first: T, second: U, /, *args: P.args, **options: P.kwargs) -> R:
            check_names(kind, options)
            return function(first, second, kind(*args, **options))

        tell_options(with_options, function, kind, 2)
        return with_options

    return decorate


def check_names(kind: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raises TypeError for a name that is no option of `kind`, with the one that may have been meant."""
    parameters = inspect.signature(kind).parameters
    for name in options:
        if name not in parameters:
            from zerogate.cli.suggestions import explain_no_such_keyword  # dear, and mostly not needed

            raise TypeError(explain_no_such_keyword(name, inspect.unwrap(kind)))


def tell_options(made: Any, function: Callable[..., Any], kind: Callable[..., Any], n: int) -> None:
    """Have `help()` and editors show the first `n` arguments of a function, and every option."""
    own = [
        each.replace(kind=each.POSITIONAL_ONLY) for each in list(inspect.signature(function).parameters.values())[:n]
    ]
    options = [each.replace(kind=each.KEYWORD_ONLY) for each in inspect.signature(kind).parameters.values()]
    made.__signature__ = inspect.Signature([*own, *options])

"""Many small cases in one test: what pytest does before and after a test costs more than most of them."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

Test = Callable[..., None]


def each(names: str | tuple[str, ...], values: Iterable[Any]) -> Callable[[Test], Test]:
    """As `pytest.mark.parametrize`, but as one test: it goes through all cases, and tells which of them fail, and how.

    Fixtures are made once, for all of them.
    """
    cases = [dict(zip(names, case, strict=True)) if isinstance(names, tuple) else {names: case} for case in values]
    assert cases

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def test_each(*args: Any, **others: Any) -> None:
            failures = []
            for case in cases:
                try:
                    test(*args, **others, **case)
                except Exception as error:
                    error.add_note(f"with {', '.join(f'{name}={value!r:.200}' for name, value in case.items())}")
                    failures.append(error)
            if len(failures) == 1:
                raise failures[0]
            if failures:
                raise ExceptionGroup(f"{len(failures)} of {len(cases)} cases", failures)

        signature = inspect.signature(test)
        left = [parameter for name, parameter in signature.parameters.items() if name not in cases[0]]
        test_each.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return test_each

    return decorate

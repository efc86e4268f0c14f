"""Finding the application: `module:attribute`."""

import importlib
import os
import sys
import traceback
from typing import Any

from zerogate.errors import StartError, UsageError


def load_application(target: str) -> Any:
    """Import `module:attribute` (the attribute may be dotted), with the current directory on the path.

    Raises UsageError if it is not written so, StartError if the module or the attribute is not there.
    """
    module_name, separator, attribute = target.partition(":")
    if not separator or not module_name or not attribute:
        raise UsageError(f"{target!r} is not an application: write MODULE:ATTRIBUTE, for example mypkg.app:app")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise StartError(f"no module named {error.name!r}, here ({os.getcwd()}) or installed") from error
        raise StartError(_import_failure(module_name, error)) from error
    except (Exception, SystemExit) as error:
        raise StartError(_import_failure(module_name, error)) from error
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise StartError(f"module {module_name!r} has no attribute {attribute!r}") from error
    if not callable(found):
        raise StartError(f"{target} is {type(found).__name__!r}, not an ASGI application")
    return found


def _import_failure(module_name: str, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"importing {module_name!r} failed: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"

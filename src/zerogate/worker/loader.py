"""Finding the application: `module:attribute`."""

import importlib
import os
import sys
import traceback
from typing import Any

from zerogate.errors import StartError, UsageError


def load_application(target: str, app_dir: str = "") -> Any:
    """Import `module:attribute`, from `app_dir`, what is installed, or the current folder. The attribute may be dotted.

    Raises UsageError if it is not written so, StartError if the module or the attribute is not there.
    """
    module_name, separator, attribute = target.partition(":")
    if not separator or not module_name or not attribute:
        raise UsageError(f"{target!r} is not an application: write MODULE:ATTRIBUTE, for example mypkg.app:app")
    folder = _search_too(app_dir)
    try:
        found = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise StartError(f"no module named {error.name!r}, in {folder} or installed") from error
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


def _search_too(app_dir: str) -> str:
    """Have Python look in `app_dir` first; without one, in the current folder last. Returns the folder.

    Last, because what happens to lie about there (`logging.py`, `test/`) must not get in the way of everybody else.
    """
    if app_dir:
        folder = os.path.abspath(app_dir)
        if not os.path.isdir(folder):
            raise UsageError(f"--app-dir {app_dir}: no such folder")
        sys.path.insert(0, folder)
        return folder
    folder = os.getcwd()
    if "" not in sys.path and folder not in sys.path:
        sys.path.append(folder)
    return folder


def _import_failure(module_name: str, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"importing {module_name!r} failed: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"

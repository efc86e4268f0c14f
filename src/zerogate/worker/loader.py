"""Finding the application: `module:attribute`, and saying in one line what is wrong with it if it is none."""

import importlib
import inspect
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import zerogate
from zerogate.errors import StartError, UsageError

# Where no user's code is: the interpreter's library, what is installed, and ourselves.
_NOT_USERS = (os.path.dirname(os.__file__) + os.sep, os.path.dirname(zerogate.__file__) + os.sep)
_INSTALLED = {"site-packages", "dist-packages"}

# Of the source line at which an import failed.
_MAX_LINE_CHARS = 200


def load_application(target: str, app_dir: str = "") -> Any:
    """Import `module:attribute`, from `app_dir`, what is installed, or the current folder. The attribute may be dotted.

    Raises UsageError if it is not written so, StartError if the module or the attribute is not there, or if it is not
    called as an ASGI application is.
    """
    module_name, separator, attribute = target.partition(":")
    if module_name.endswith(".py") or os.sep in module_name:
        raise UsageError(_not_a_file(target, Path(module_name), attribute))
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
    _check_kind(module_name, attribute, found)
    return found


def _not_a_file(target: str, path: Path, attribute: str) -> str:
    """What to write instead of a file's name."""
    directory = ""
    if path.is_absolute() or ".." in path.parts:
        directory = f", in the directory {path.parent}"
        path = Path(path.name)
    path = path.with_suffix("") if path.suffix == ".py" else path
    module_name = ".".join(path.parent.parts if path.name == "__init__" else path.parts)
    if not attribute:
        return f"{target!r} is not an application: write MODULE:ATTRIBUTE, for example {module_name}:app{directory}"
    return f"{target!r} is a file's name, not a module's: write {module_name}:{attribute}{directory}"


def _check_kind(module_name: str, attribute: str, found: Any) -> None:
    """Raises StartError for what every call with (scope, receive, send) would fail of."""
    target = f"{module_name}:{attribute}"
    try:
        # Of the outermost wrapper: that is who will be called.
        signature = inspect.signature(found, follow_wrapped=False)
    except (TypeError, ValueError):
        return  # Some callables do not tell.
    takes_any = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values())
    if takes_any or (_takes(signature, 3) and not _takes(signature, 0)):
        return
    if _takes(signature, 0):
        kind = "class" if inspect.isclass(found) else "factory"
        name = "app" if attribute != "app" else "application"
        made = f"write {name} = {attribute}() in {module_name}, and start {module_name}:{name}"
        raise StartError(f"{target} is a {kind}: {made}")
    if _takes(signature, 2) and not _is_async(found):
        wrapped = f"app = a2wsgi.WSGIMiddleware({attribute}) (pip install a2wsgi)"
        raise StartError(f"{target} is a WSGI application: wrap it, for example {wrapped}")
    parameters = signature.replace(return_annotation=inspect.Signature.empty)
    raise StartError(f"{target} is not an ASGI application: it takes {parameters}, not (scope, receive, send)")


def _takes(signature: inspect.Signature, n: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        signature.bind(*range(n))
    except TypeError:
        return False
    return True


def _is_async(found: Any) -> bool:
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)


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
    """Why, and where in the user's code: the file, the number of the line, and the line."""
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    reason = f"{type(error).__name__}: {' '.join(reason.split())}".removesuffix(": ")
    filename, number, line = _place_of(error)
    place = f"{_short(filename)}:{number}: {' '.join(line.split())[:_MAX_LINE_CHARS]}".removesuffix(": ")
    return f"importing {module_name!r} failed: {reason} ({place})"


def _place_of(error: BaseException) -> tuple[str, int, str]:
    if isinstance(error, SyntaxError) and error.filename and os.path.exists(error.filename):
        return error.filename, error.lineno or 0, error.text or ""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if _is_users(frame.filename)), frames[-1])
    return frame.filename, frame.lineno or 0, frame.line or ""


def _is_users(filename: str) -> bool:
    return os.path.exists(filename) and not filename.startswith(_NOT_USERS) and not _INSTALLED & {*Path(filename).parts}


def _short(filename: str) -> str:
    """A path as people in the current directory would write it."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename

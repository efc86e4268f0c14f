"""Why a user's module or function failed, in one line: the reason, and where in the user's code."""

import contextlib
import os
import traceback
from pathlib import Path

from zerogate import errors

# Where no user's code is: the interpreter's library, what is installed, and ourselves.
_NOT_USERS = (os.path.dirname(os.__file__) + os.sep, os.path.dirname(errors.__file__) + os.sep)
_INSTALLED = {"site-packages", "dist-packages"}

# Of the source line at which it failed.
_MAX_LINE_CHARS = 200


def explain_failure(error: BaseException) -> str:
    """`ValueError: no (app.py:3: raise ValueError("no"))`: the file, the number of the line, and the line."""
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    reason = f"{type(error).__name__}: {' '.join(reason.split())}".removesuffix(": ")
    filename, number, line = _place_of(error)
    place = f"{_short(filename)}:{number}: {' '.join(line.split())[:_MAX_LINE_CHARS]}".removesuffix(": ")
    return f"{reason} ({place})"


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
    with contextlib.suppress(FileNotFoundError, ValueError):  # there is no such directory any more, or it is elsewhere
        return str(path.relative_to(Path.cwd()))
    return filename

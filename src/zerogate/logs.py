"""Logging: our own loggers and nothing else, unless a file says otherwise.

The root logger is the application's: its `logging.basicConfig` does what it says, and what it logs by itself is not
logged a second time by us.
"""

import importlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from zerogate.errors import UsageError
from zerogate.process import STDERR_FD, write_whole
from zerogate.stamps import Stamps

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

# All of ours are below it.
ROOT = logging.getLogger("zerogate")


class LineFormatter(logging.Formatter):
    """Our format, with the times of one time zone: Django sets its own for the whole process."""

    def __init__(self) -> None:
        super().__init__(FORMAT)
        self._stamps = Stamps()

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 # as logging has it
        return self._stamps.stamp(record.created)


class LineHandler(logging.Handler):
    """Writes each record to standard error with one system call, and never fails."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n"
        except Exception:
            self.handleError(record)
            return
        write_whole(STDERR_FD, line.encode("utf-8", "backslashreplace"))


def set_up_logging(level: str, config: str = "") -> None:
    """Log from `level` on, or as the file `config` says. Raises UsageError."""
    ROOT.setLevel(level.upper())
    for handler in ROOT.handlers[:]:
        ROOT.removeHandler(handler)
    ROOT.propagate = bool(config)
    if config:
        _configure(Path(config))
        return
    handler = LineHandler()
    handler.setFormatter(LineFormatter())
    ROOT.addHandler(handler)


def enable_loggers() -> None:
    """Have ours speak again after an application was imported.

    What sets up its logging by dictConfig silences all loggers that it does not name, unless it says otherwise.
    """
    for name, logger in logging.root.manager.loggerDict.items():
        if f"{name}.".startswith(f"{ROOT.name}.") and isinstance(logger, logging.Logger):
            logger.disabled = False


def reopen_log_files() -> None:
    """Of each handler, ours or an application's, whose file was moved away: write to a new one by the same name."""
    loggers = [logging.root, *(each for each in logging.root.manager.loggerDict.values())]
    handlers = {handler for each in loggers if isinstance(each, logging.Logger) for handler in each.handlers}
    for handler in handlers:
        if isinstance(handler, logging.FileHandler):
            try:
                _reopen_if_moved(handler)
            except OSError as error:
                ROOT.error("the log file %s cannot be opened anew: %s", handler.baseFilename, error.strerror)


def _reopen_if_moved(handler: logging.FileHandler) -> None:
    if handler.stream is None:
        return  # It opens its file when there is something to be written.
    try:
        is_there = os.path.samestat(os.stat(handler.baseFilename), os.fstat(handler.stream.fileno()))
    except FileNotFoundError:
        is_there = False
    if not is_there:
        before = handler.setStream(handler._open())
        if before is not None:
            before.close()


def _configure(path: Path) -> None:
    """Hand a file to logging.config: .json and .yaml to dictConfig, .ini to fileConfig. Raises UsageError."""
    import logging.config  # dear, and not for everybody

    try:
        text = path.read_text("utf-8")
        match path.suffix.lower():
            case ".json":
                logging.config.dictConfig(_checked(json.loads(text)))
            case ".yaml" | ".yml":
                logging.config.dictConfig(_checked(_yaml().safe_load(text)))
            case ".ini" | ".conf" | ".cfg":
                logging.config.fileConfig(path, disable_existing_loggers=False, encoding="utf-8")
            case suffix:
                raise UsageError(f"--log-config {path}: {suffix or 'no suffix'}: write .json, .yaml or .ini")
    except OSError as error:
        raise UsageError(f"--log-config {path}: {error.strerror or error}") from error
    except UsageError:
        raise
    except Exception as error:  # logging.config raises whatever its handlers do
        reason = " ".join(f"{error}".split()) or type(error).__name__
        cause = f": {error.__cause__}" if error.__cause__ is not None else ""
        raise UsageError(f"--log-config {path}: {reason}{cause}") from error


def _checked(config: Any) -> dict[str, Any]:
    if not isinstance(config, dict):
        raise ValueError("not a dictionary of logging.config")
    # Ours exist by now: without this, whoever does not name them would not hear of them.
    return {"disable_existing_loggers": False, **config}


def _yaml() -> Any:
    try:
        return importlib.import_module("yaml")
    except ImportError:
        raise UsageError("--log-config: .yaml needs PyYAML (pip install pyyaml), .json and .ini do not") from None

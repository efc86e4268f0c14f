"""Talking to people: what is said (standard error) and what was asked for (standard output)."""

from zerogate.errors import ZerogateError
from zerogate.process import STDERR_FD, write_whole


class OutputError(ZerogateError):
    """What was asked for cannot be written. Exit code 1."""


def say(*lines: str) -> None:
    """Lines on standard error, in one piece. Never fatal: nobody may be listening."""
    write_whole(STDERR_FD, "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))


def show(text: str) -> None:
    """Lines on standard output, at once. Raises OutputError, or BrokenPipeError where the reader has had enough."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write to standard output: {error.strerror or error}") from error

"""Variables from a file, for the application: `NAME=value`, a line each."""

from zerogate.errors import UsageError


def load_env_file(path: str) -> None:
    """Set the variables that a file has and the environment has not. To be called before the application is imported.

    Raises UsageError if it cannot be read.
    """
    try:
        from dotenv import load_dotenv
    except ImportError:
        raise UsageError("--env-file: python-dotenv is not installed (pip install 'zerogate[env]')") from None
    try:
        with open(path, encoding="utf-8") as file:
            load_dotenv(stream=file)
    except OSError as error:
        raise UsageError(f"--env-file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--env-file {path}: not a text in UTF-8") from None

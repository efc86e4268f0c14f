"""What an application can do wrong."""

from zerogate.errors import ZerogateError


class ApplicationError(ZerogateError, RuntimeError):
    """The application did what HTTP, or the interface it speaks, does not allow.

    A RuntimeError, as applications know it of other servers.
    """


class ClientDisconnected(OSError):  # noqa: N818 - it is no error of anybody's
    """Nobody hears what was sent: the client has left, or the link to its router has."""

"""What an application can do wrong."""

from zerogate.errors import ZerogateError


class ApplicationError(ZerogateError):
    """The application did what HTTP, or the interface it speaks, does not allow."""

"""What can go wrong, and why, in words for people. What a client is told of it: wire/http/errors.py."""


class ZerogateError(Exception):
    """Base of everything zerogate raises on purpose. `reason` is one line for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def forget_frames(self) -> None:
        """Those that it came through, and what was before it.

        Kept by an object of those frames they would be a cycle: a peer's every fault would cost its connection's memory
        until the collector comes.
        """
        self.__traceback__ = self.__context__ = self.__cause__ = None


class UsageError(ZerogateError):
    """The command was called wrongly. Exit code 2."""


class StartError(ZerogateError):
    """It could not start: a port is taken, an application cannot be imported. Exit code 1."""


class WireError(ZerogateError):
    """A peer sent what its protocol forbids. The connection it came on ends."""


class ZmtpError(WireError):
    """The peer broke ZMTP (RFC 37): not ZeroMQ at all, another version, mechanism or socket type, a bad frame."""


class SpdyError(WireError):
    """The peer broke the SPDY session. `status` is what GOAWAY says of it (SPDY/3.1, 2.6.6)."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class ReplyError(WireError):
    """A worker's reply is not valid HTTP, or not of the length it announced. The worker's fault."""

"""What can go wrong."""

from tests.support.each import each
from zerogate import errors
from zerogate.errors import SpdyError, WireError, ZerogateError


def test_an_error_has_its_reason_in_one_line_for_people() -> None:
    error = errors.StartError("no room")
    assert error.reason == str(error) == "no room"
    assert isinstance(error, ZerogateError)


def test_a_broken_session_says_what_goaway_says() -> None:
    error = SpdyError("a frame of no type", 1)
    assert (error.reason, error.status) == ("a frame of no type", 1)


@each("name", ["ZmtpError", "SpdyError", "ReplyError"])
def test_what_a_peer_breaks_ends_the_connection(name: str) -> None:
    assert issubclass(getattr(errors, name), WireError)

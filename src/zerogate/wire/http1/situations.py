"""What a client's connection is in the midst of: two machines, and one table of what they mean together.

`Reading` is how far the client's octets have been taken apart (how it moves, is in `reader`), `Writing` how far the
reply to the request in progress has got. Each moves by its own events: octets that come in, calls that send. What the
two mean together is the table's matter, and nobody else's: whether a request may begin, what the connection waits for
(so which time-out runs), and what is to be done when something went wrong.

Reading:
    IDLE    between requests; or behind the last one: what comes then is dropped
    HEAD    a part of a head has come, or the empty line before it
    BODY    a head has come, and its body is not complete
    TUNNEL  an upgrade's octets; IDLE again once the upgrade is refused
    ENDED   the client will send nothing more
    FAILED  the client broke the rules; what comes is dropped

Writing:
    IDLE    no reply is due
    DUE     a request is in progress, its reply has not begun
    BODY    the reply's head is out, its end is not
    TUNNEL  101 was said: octets pass both ways as they are
    LAST    the connection's last reply is complete. With Reading.TUNNEL: our half of the tunnel is closed, the client
            may go on with its own
    CLOSED  a reply was cut short; nothing more is said
"""

from enum import Enum, IntEnum, auto


class Reading(IntEnum):
    """How far the client's input has been read; see the module."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    TUNNEL = 3
    ENDED = 4
    FAILED = 5


class Writing(IntEnum):
    """How far the reply has got; see the module."""

    IDLE = 0
    DUE = 1
    BODY = 2
    TUNNEL = 3
    LAST = 4
    CLOSED = 5


class Situation(Enum):
    """What the connection waits for, or what is to be done."""

    REQUEST = auto()  # waits for the next request
    HEAD = auto()  # waits for the rest of a head
    REST = auto()  # waits for the rest of a body whose reply is complete; it is read and dropped
    REPLY = auto()  # a reply is due or under way
    TUNNEL = auto()  # octets pass
    TELL = auto()  # tell `error` to the client
    CUT = auto()  # `error` came amid a reply: cut it
    CLOSE = auto()  # nothing more can come, and nothing is due: close
    LINGER = auto()  # the last reply is out: what still comes is read and dropped, so that no reset overtakes the reply
    GONE = auto()  # nothing to do any more


# SITUATIONS[reading][writing]; None: cannot be.
# fmt: off
_S = Situation
SITUATIONS: tuple[tuple[Situation | None, ...], ...] = (
    # IDLE        DUE        BODY      TUNNEL     LAST       CLOSED
    (_S.REQUEST, _S.REPLY,  _S.REPLY, None,      _S.LINGER, _S.GONE),  # IDLE
    (_S.HEAD,    None,      None,     None,      _S.LINGER, _S.GONE),  # HEAD: is not read before the reply is complete
    (_S.REST,    _S.REPLY,  _S.REPLY, None,      _S.LINGER, _S.GONE),  # BODY
    (None,       _S.REPLY,  None,     _S.TUNNEL, _S.TUNNEL, _S.GONE),  # TUNNEL: IDLE once the upgrade is refused
    (_S.CLOSE,   _S.REPLY,  _S.REPLY, _S.TUNNEL, _S.CLOSE,  _S.GONE),  # ENDED
    (_S.TELL,    _S.TELL,   _S.CUT,   None,      _S.LINGER, _S.GONE),  # FAILED
)
# fmt: on

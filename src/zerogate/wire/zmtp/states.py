"""The state machine that reads a ZMTP connection (RFC 37).

Each state says how many octets it needs, and its reader gets at least those:

    state               needs       then
    FIRST_OCTET         1           SIGNATURE
    SIGNATURE           9           MAJOR
    MAJOR               1           GREETING_REST
    GREETING_REST       53          FRAME                the mechanism starts
    FRAME               2, or 9     the state that the phase's table has for the flags
    HANDSHAKE_COMMAND   its size    FRAME                the mechanism moves, and may end the handshake
    COMMAND             its size    FRAME                PING, PONG, ERROR
    MESSAGE             1           MESSAGE, last FRAME  message bodies in clear go on as they come
    SEALED              its size    FRAME                with a cipher: bodies are opened whole
    FAILED              -           -                    `error` says why; whatever comes is dropped

The greeting is read in four steps rather than as 64 octets because a peer that speaks something else (HTTP, ZMTP 1
or 2) may send fewer and wait: it is told apart, with its reason, at the first octet that differs.
"""

from enum import IntEnum, auto

from zerogate.wire.zmtp.frames import COMMAND, LONG, MORE

# --- limits -----------------------------------------------------------------------------------------------------------

MAX_HANDSHAKE_COMMAND_BYTES = 16 * 1024
"""Body of a handshake command, which is kept whole before the peer is trusted. An identity and a page of `X-`
properties fit many times over; so does CURVE's INITIATE, which adds 257 octets to them."""

MAX_COMMAND_BYTES = 1024
"""Body of a command in traffic, kept whole. The longest that says something here is a PING, of 23 octets."""

DEFAULT_MAX_FRAME_BYTES = 17 * 1024 * 1024
"""Body of a message frame: what a SPDY session window of 16 MiB lets a peer send at once, and the frames around it.
In clear nothing is kept of it, so this only unmasks nonsense; a cipher needs it whole, and there it bounds memory."""


class State(IntEnum):
    """Where the reading is. (An IntEnum because the hash of an Enum is computed in Python, for each frame.)"""

    FIRST_OCTET = auto()
    SIGNATURE = auto()
    MAJOR = auto()
    GREETING_REST = auto()
    FRAME = auto()
    HANDSHAKE_COMMAND = auto()
    COMMAND = auto()
    MESSAGE = auto()
    SEALED = auto()
    FAILED = auto()


# --- the frames that each phase takes ---------------------------------------------------------------------------------

FrameTable = dict[int, tuple[int, State]]
"""The flags octet of a frame: the limit of its body, and the state that reads it. Flags that are not here are refused:
reserved bits must be zero, and so must MORE on a command."""

_MESSAGES = (0, MORE, LONG, LONG | MORE)
_COMMANDS = (COMMAND, COMMAND | LONG)

HANDSHAKE: FrameTable = dict.fromkeys(_COMMANDS, (MAX_HANDSHAKE_COMMAND_BYTES, State.HANDSHAKE_COMMAND))


def clear_traffic(max_frame_bytes: int) -> FrameTable:
    """Messages as they come, commands whole."""
    messages = dict.fromkeys(_MESSAGES, (max_frame_bytes, State.MESSAGE))
    return messages | dict.fromkeys(_COMMANDS, (MAX_COMMAND_BYTES, State.COMMAND))


def sealed_traffic(max_frame_bytes: int) -> FrameTable:
    """What a frame is, a cipher tells: RFC 26 puts sealed traffic in command frames, libzmq in message frames."""
    return dict.fromkeys(_MESSAGES + _COMMANDS, (max_frame_bytes, State.SEALED))


def refusal(flags: int) -> str:
    """Why a phase does not take a frame with these flags."""
    if flags & ~(MORE | LONG | COMMAND):
        return f"a frame with reserved flags: 0x{flags:02x}"
    if flags & COMMAND:
        return "a command frame with the MORE flag"
    return "a message before the handshake is done"


# Who comes to the wrong port, by the first octet: a TLS handshake (RFC 8446, 5.1), and HTTP's methods and its replies.
_STRANGERS = {0x16: "TLS", **dict.fromkeys(b"CDGHOPT", "HTTP")}


def stranger(octet: int, *, is_listening: bool) -> str:
    """Why a peer whose first octet is this is no peer. `is_listening`: it came to us."""
    reason = f"the peer does not speak ZMTP 3: its first octet is 0x{octet:02x}, not 0xff"
    protocol = _STRANGERS.get(octet)
    if protocol is None:
        return reason
    advice = "the port is for workers" if is_listening else "the port for workers is another one"
    return f"this is {protocol}: {advice} ({reason})"

"""Replies as workers send them: judged once, for whatever version of HTTP the client speaks."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from zerogate.errors import ReplyError
from zerogate.native import compiled
from zerogate.wire.fields import Fields, is_lower_token, is_value
from zerogate.wire.http.fields import HOP_BY_HOP, is_forbidden_trailer, list_elements, parse_length

SWITCHING_PROTOCOLS = 101
UPGRADE_REQUIRED = 426

# RFC 9112, 6.3: whatever a worker says, no body follows these heads. (After 101 something does, but no body.)
BODILESS = frozenset({SWITCHING_PROTOCOLS, 204, 304})
# RFC 9110, 8.6: no Content-Length in these.
LENGTHLESS = frozenset({SWITCHING_PROTOCOLS, 204})
# What a worker may say before its reply. 102 is no more (RFC 4918, C), and 101 is not interim.
INTERIM = frozenset({100, 103})

PSEUDO_FIELDS = frozenset({b":status", b":version"})
REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}

# `:status` taken apart, and names that cross: made and checked once, since workers send few of either. The bounds are
# for those who make them up; a full one starts anew, so that nobody can fill it for good.
_MAX_STATUSES = 1024
_MAX_NAMES = 1024
_MAX_TEXT_BYTES = 64
_statuses: dict[bytes | None, tuple[int, bytes]] = {}
usual_names: set[bytes] = {*PSEUDO_FIELDS}


def is_event_stream(content_type: bytes) -> bool:
    """Whether a reply of this Content-Type is a stream of events (text/event-stream), which may go on for ever."""
    return content_type.partition(b";")[0].strip().lower() == b"text/event-stream"


class PlainReplyHead:
    """A reply without its body, checked and free of everything that concerns the link alone.

    reason: what the worker said, else what RFC 9110 calls the status; may be empty
    fields: lower-case names, in order, several values apart; no hop-by-hop field and none that Connection names
    length: its Content-Length; None if it has none, and where there must be none (RFC 9110, 8.6)
    is_bodiless: no body follows, whatever the worker sends
    body_length: how long the body is, if that is known and there is one
    has_date: whether the worker sent a Date
    note: free for whoever writes the head, to keep what follows from it alone
    """

    __slots__ = ("body_length", "fields", "has_date", "is_bodiless", "length", "note", "reason", "status")

    def __init__(
        self, status: int, reason: bytes, fields: list[tuple[bytes, bytes]], length: int | None, has_date: bool
    ) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.length = length
        self.is_bodiless = is_bodiless = status in BODILESS
        self.body_length = None if is_bodiless else length
        self.has_date = has_date
        self.note: object = None

    @classmethod
    def of(cls, status: int, fields: list[tuple[bytes, bytes]]) -> "PlainReplyHead":
        """A reply of the router's own, whose fields are good."""
        named = dict(fields)
        length = named.get(b"content-length")
        return cls(status, REASONS.get(status, b""), fields, None if length is None else int(length), b"date" in named)

    def __repr__(self) -> str:
        return f"<ReplyHead {self.status} length={self.length}>"


# One that is read natively has the same attributes, and makes `fields` when somebody asks for them.
if TYPE_CHECKING:
    ReplyHead = PlainReplyHead
else:
    ReplyHead = compiled.find("heads", "ReplyHead", otherwise=PlainReplyHead)


def reply_head(fields: Fields | ReplyHead) -> ReplyHead:
    """The head that fields make, as they come off SPDY. Raises ReplyError for what is not valid HTTP.

    One that was made of them natively is good.
    """
    if isinstance(fields, ReplyHead):
        return fields
    status_text = fields.get(b":status")
    status, reason = _statuses.get(status_text) or _learn_status(status_text)
    pairs = [*fields.items()]
    # Mostly all names are known to cross, and no value is more than text: the whole is looked at, not each field.
    # It takes 0.5 µs for six fields, and each for itself 1.4.
    if (
        usual_names.issuperset(fields)
        and is_value(b"".join([*fields.values()]))
        and len(pairs) > 1
        and pairs[0][0] == b":status"
        and pairs[1][0] == b":version"
    ):
        del pairs[:2]
    else:
        pairs = _crossing(fields)
    length_text = fields.get(b"content-length")
    length = None
    if length_text is not None:
        length = parse_length(length_text)
        if length is None:
            raise ReplyError("bad Content-Length, or more than one")
        if status in LENGTHLESS:
            length = None
            pairs = [pair for pair in pairs if pair[0] != b"content-length"]
    return ReplyHead(status, reason, pairs, length, b"date" in fields)


def _crossing(fields: Fields) -> list[tuple[bytes, bytes]]:
    """What of the fields crosses (RFC 9110, 7.6.1), each value for itself. Raises ReplyError."""
    nominated = set(list_elements(fields.get(b"connection", b"").replace(b"\0", b",")))
    dropped = HOP_BY_HOP | PSEUDO_FIELDS | nominated - {b"content-length"}  # framing cannot be named away
    pairs = []
    for name, joined in fields.items():
        if name in dropped:
            continue
        if name not in usual_names:
            _learn_name(name)
        for value in joined.split(b"\0"):
            if not is_value(value):
                raise ReplyError("a control character in a field value")
            pairs.append((name, value))
    return pairs


def _learn_name(name: bytes) -> None:
    if not is_lower_token(name):
        raise ReplyError("a malformed field name")
    if len(name) <= _MAX_TEXT_BYTES:
        if len(usual_names) >= _MAX_NAMES:
            usual_names.clear()
            usual_names.update(PSEUDO_FIELDS)
        usual_names.add(name)


def _learn_status(text: bytes | None) -> tuple[int, bytes]:
    status, reason = _parse_status(text)
    if status != SWITCHING_PROTOCOLS and not 200 <= status <= 599:
        raise ReplyError("no valid :status")
    reason = reason or REASONS.get(status, b"")
    if len(reason) <= _MAX_TEXT_BYTES:
        if len(_statuses) >= _MAX_STATUSES:
            _statuses.clear()
        _statuses[text] = status, reason
    return status, reason


def _parse_status(text: bytes | None) -> tuple[int, bytes]:
    digits, _, reason = (text or b"").partition(b" ")
    if len(digits) != 3 or not digits.isdigit() or not is_value(reason):
        raise ReplyError("no valid :status")
    return int(digits), reason


def interim_status(fields: Fields) -> int:
    """The status of an interim reply: 100 or 103. Raises ReplyError if it is none."""
    status, _ = _parse_status(fields.get(b":status"))
    if status not in INTERIM:
        raise ReplyError("HEADERS before the reply")
    return status


def hint_fields(fields: Fields) -> list[tuple[bytes, bytes]]:
    """What crosses of an interim reply's fields: no Content-Length (RFC 9110, 8.6). Raises ReplyError."""
    return [pair for pair in _crossing(fields) if pair[0] != b"content-length"]


def check_trailers(fields: Fields) -> list[tuple[bytes, bytes]]:
    """The trailers that cross: forbidden ones are dropped (RFC 9110, 6.5.1). Raises ReplyError for malformed ones."""
    pairs = []
    for name, joined in fields.items():
        if is_forbidden_trailer(name):
            continue
        if not is_lower_token(name):
            raise ReplyError("a malformed trailer name")
        for value in joined.split(b"\0"):
            if not is_value(value):
                raise ReplyError("a control character in a trailer")
            pairs.append((name, value))
    return pairs


class ReplyBody:
    """The account of one reply's body.

    is_framed: whether any of it crosses. If not, it is dropped, whatever its length (RFC 9110, 9.3.2 and 15.4.5).
    """

    __slots__ = ("is_framed", "left")

    def __init__(self, head: ReplyHead, method: bytes) -> None:
        self.is_framed = not (head.is_bodiless or method == b"HEAD")
        self.left = head.length if self.is_framed else None

    def __repr__(self) -> str:
        return f"<ReplyBody {'of any length' if self.left is None else f'left={self.left}'}>"

    def receive(self, size: int) -> None:
        """So many bytes came. Raises ReplyError if they are more than Content-Length said."""
        if self.left is not None:
            if size > self.left:
                raise ReplyError("the body is longer than its Content-Length")
            self.left -= size

    def end(self) -> None:
        """Nothing more comes. Raises ReplyError if that is less than Content-Length said."""
        if self.left:
            raise ReplyError(f"the body is {self.left} bytes shorter than its Content-Length")

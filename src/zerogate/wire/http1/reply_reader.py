"""Replies read from one server's octets (RFC 9112, 4 and 6), one at a time.

DONE -> HEAD                a request has been sent: `expect`
HEAD -> HEAD                an interim reply
HEAD -> BODY -> DONE        a body of known length, in chunks, or until the connection ends
HEAD -> DONE                a reply without a body
HEAD -> TUNNEL              the server switches protocols: what follows is no HTTP

A server is believed no more than a client. What two readers might understand in two ways is an error, whichever way the
standard leaves open to be kind: two lengths, a length and chunks, a coding that is not chunks, a bare LF. What follows
the end of a reply belongs to none, so its connection is not to be used again.
"""

import re
from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser

from zerogate.errors import ReplyError
from zerogate.native import compiled
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.fields import HOP_BY_HOP, list_elements, parse_length
from zerogate.wire.http.reply import BODILESS, SWITCHING_PROTOCOLS
from zerogate.wire.http1.blocks import END_OF_BLOCK, BlockCollector, refuse_offence
from zerogate.wire.http1.chunks import ChunkedReader
from zerogate.wire.http1.heads import HeadParser
from zerogate.wire.http1.limits import HttpLimits
from zerogate.wire.http1.writer import Framing

Pairs = list[tuple[bytes, bytes]]

# Minor version, status, the fields that cross, and those that mean something here, repeated ones joined as lists are.
_Head = tuple[int, int, Pairs, dict[bytes, bytes]]

_read_natively: Callable[[bytes, int], _Head | None] = compiled.find("servers", "reply_head")

LIMITS: Final = HttpLimits()
# Nobody has so much to say before a reply; and it would hold a request for ever, within no window.
MAX_INTERIM: Final = 64

_BEGINNING = b"HTTP/1."
_match_status_line = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?").fullmatch
_find_timeout = re.compile(rb"(?:^|[,; \t])timeout=([0-9]{1,6})(?:$|[,; \t])", re.IGNORECASE).search

# What is read here, whether it crosses or not.
_SPECIAL = HOP_BY_HOP | {b"content-length", b"trailer"}
# What crosses only as framing of ours.
_NOMINATION_PROOF = frozenset({b"content-length"})

_NOTHING, _LENGTH, _CHUNKED, _CLOSE = Framing.NOTHING, Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE


class Reading(Enum):
    """How far the current reply is; see the module."""

    HEAD = "head"
    BODY = "body"
    TUNNEL = "tunnel"
    DONE = "done"


_HEAD, _BODY, _TUNNEL, _DONE = Reading


class Interim(NamedTuple):
    """A reply before the reply (RFC 9110, 15.2). `fields` as in ServerHead."""

    status: int
    fields: Pairs


class ServerHead(NamedTuple):
    """The head of a reply.

    fields: lower-case names, in order; no hop-by-hop field and none that Connection names
    has_trailers: it announces fields behind its body
    upgrade: of a 101, the protocol that is switched to, in lower case
    """

    status: int
    fields: Pairs
    has_trailers: bool
    upgrade: bytes


class ReplyEnd(NamedTuple):
    """All of the reply has come."""

    trailers: Pairs


Event = Interim | ServerHead | bytes | ReplyEnd


class _Sink:
    """Takes fields from llhttp; apart from whoever owns the parser, so that no cycle keeps both alive."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: Pairs = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp takes the whitespace before a value away, but not the whitespace after it.
        self.fields.append((name.lower(), value.rstrip(b" \t")))


class ReplyReader:
    """Reads one connection's replies. Any cut of the input gives the same events, joined, and the same error.

    may_be_kept: nothing has been seen that forbids another request on the connection, once the reply is DONE
    keep_s: for how long the server says that it keeps an idle connection; None if it does not say
    has_begun: something of the current reply has come
    """

    __slots__ = (
        "_body",
        "_collector",
        "_framing",
        "_left",
        "_method",
        "_n_interim",
        "has_begun",
        "keep_s",
        "may_be_kept",
        "state",
    )

    def __init__(self) -> None:
        self.state = _DONE
        self.may_be_kept = True
        self.keep_s: int | None = None
        self.has_begun = False
        self._method = b""
        self._framing = _NOTHING
        self._left = 0  # of a body of known length
        self._body: ChunkedReader | None = None
        self._collector: BlockCollector | None = None  # of a head that did not come in one piece
        self._n_interim = 0

    def __repr__(self) -> str:
        return f"<ReplyReader {self.state.name}>"

    def expect(self, method: bytes) -> None:
        """A request has been sent. Only where `state` is DONE."""
        self._method = method
        self.has_begun = False
        self._n_interim = 0
        self.state = _HEAD

    def receive(self, data: bytes) -> list[Event]:
        """What the octets say: all of a body that is in them is one piece. Raises ReplyError."""
        events: list[Event] = []
        position, size = 0, len(data)
        self.has_begun = True
        try:
            while position < size:
                if self.state is _HEAD:
                    position = self._read_head(data, position, events)
                elif self.state is _BODY:
                    position = self._read_body(data, position, events)
                else:
                    if self.state is _TUNNEL:
                        events.append(data[position:])
                    else:
                        self.may_be_kept = False
                    break
        except HttpError as error:
            raise ReplyError(error.reason) from None
        return events

    def end(self) -> list[Event]:
        """The server will send nothing more. Raises ReplyError if the reply is not complete by that."""
        self.may_be_kept = False
        if self.state is _BODY and self._framing is _CLOSE:
            self.state = _DONE
            return [ReplyEnd([])]
        if self.state is _HEAD or self.state is _BODY:
            raise ReplyError("the reply is incomplete" if self.has_begun else "the connection ended before the reply")
        return []

    def _read_head(self, data: bytes, position: int, events: list[Event]) -> int:
        self._check_beginning(data, position)
        block = None
        if self._collector is None:
            # Mostly the whole head is here.
            end = data.find(END_OF_BLOCK, position, position + LIMITS.max_head_bytes)
            if end >= 0:
                block = data[position : end + 4]
                position = end + 4
            else:
                self._collector = BlockCollector(LIMITS.max_head_bytes)
        if self._collector is not None:
            block, position = self._collector.receive(data, position)
        if block is not None:
            self._collector = None
            self._begin(block, events)
            return position
        if self._collector is not None and self._collector.is_full:
            raise ReplyError("the head is too large")
        return position

    def _check_beginning(self, data: bytes, position: int) -> None:
        """Who speaks something else may wait for us after its first line: the end of a head would never come."""
        seen = self._collector.first_line if self._collector is not None else b""
        n_missing = len(_BEGINNING) - len(seen)
        if n_missing > 0 and not _BEGINNING.startswith(seen + data[position : position + n_missing]):
            raise ReplyError("this is not HTTP/1")

    def _begin(self, block: bytes, events: list[Event]) -> None:
        head = _read_natively(block, LIMITS.max_fields)
        minor_version, status, crossing, special = _read_in_python(block) if head is None else head
        options = frozenset(list_elements(special.get(b"connection", b"")))
        if status < 200 and status != SWITCHING_PROTOCOLS:
            self._n_interim += 1
            if self._n_interim > MAX_INTERIM:
                raise ReplyError("too many interim replies")
            events.append(Interim(status, crossing))
            return
        if b"close" in options or (minor_version == 0 and b"keep-alive" not in options):
            self.may_be_kept = False
        hint = _find_timeout(special.get(b"keep-alive", b""))
        self.keep_s = int(hint[1]) if hint else None
        if status == SWITCHING_PROTOCOLS:
            self.may_be_kept = False
            self.state = _TUNNEL
            events.append(ServerHead(status, crossing, False, special.get(b"upgrade", b"").lower()))
            return
        self._frame(status, minor_version, special)
        has_trailers = self._framing is _CHUNKED and b"trailer" in special
        events.append(ServerHead(status, crossing, has_trailers, b""))
        if self._framing is _NOTHING:
            self._finish(events, [])
        else:
            self.state = _BODY

    def _frame(self, status: int, minor_version: int, special: dict[bytes, bytes]) -> None:
        """RFC 9112, 6.3, without its ways out."""
        length, coding = special.get(b"content-length"), special.get(b"transfer-encoding")
        size = None if length is None else parse_length(length)
        if length is not None and size is None:
            raise ReplyError("bad Content-Length, or more than one")
        if self._method == b"HEAD" or status in BODILESS:
            self._framing = _NOTHING
        elif coding is not None:
            if length is not None:
                raise ReplyError("both Content-Length and Transfer-Encoding")
            if minor_version == 0:
                raise ReplyError("Transfer-Encoding in HTTP/1.0")
            if coding.lower() != b"chunked":
                raise ReplyError("unknown transfer coding")
            self._framing = _CHUNKED
            self._body = ChunkedReader(LIMITS, HeadParser(LIMITS))
        elif size is not None:
            self._framing = _LENGTH if size else _NOTHING
            self._left = size
        else:
            self._framing = _CLOSE
            self.may_be_kept = False

    def _read_body(self, data: bytes, position: int, events: list[Event]) -> int:
        if self._framing is _CLOSE:
            events.append(data[position:])
            return len(data)
        if self._framing is _LENGTH:
            end = min(position + self._left, len(data))
            # Slicing the whole of `data` gives `data` itself.
            events.append(data[position:end])
            self._left -= end - position
            if not self._left:
                self._finish(events, [])
            return end
        assert self._body is not None
        pieces: list[bytes] = []
        position = self._body.receive(data, position, pieces)
        if pieces:
            events.append(b"".join(pieces))
        if self._body.trailers is not None:
            trailers, self._body = self._body.trailers, None
            self._finish(events, trailers)
        return position

    def _finish(self, events: list[Event], trailers: Pairs) -> None:
        events.append(ReplyEnd(trailers))
        self.state = _DONE


def _read_in_python(block: bytes) -> _Head:
    """What `_begin` does with what is not read natively. Raises HttpError, too."""
    refuse_offence(block)
    match = _match_status_line(block, 0, block.find(b"\r\n"))
    if match is None:
        raise ReplyError("malformed status line")
    fields = _parse_fields(block)
    special: dict[bytes, bytes] = {}
    for name, value in fields:
        if name in _SPECIAL:
            special[name] = special[name] + b"," + value if name in special else value
    dropped = HOP_BY_HOP | set(list_elements(special.get(b"connection", b""))) - _NOMINATION_PROOF
    return int(match[1]), int(match[2]), [pair for pair in fields if pair[0] not in dropped], special


def _parse_fields(block: bytes) -> Pairs:
    """The fields of a head, as they are. llhttp takes them apart, and frames nothing here: a parser a head."""
    if block.count(b"\n") - 2 > LIMITS.max_fields:
        raise ReplyError("too many fields")
    sink = _Sink()
    try:
        HttpResponseParser(sink).feed_data(block)
    except HttpParserUpgrade:
        pass  # what a 101 means is decided here
    except HttpParserCallbackError:
        raise  # ours to mend
    except HttpParserError as error:
        raise ReplyError(f"malformed field: {error}") from None
    return sink.fields

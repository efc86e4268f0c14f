# cython: language_level=3, boundscheck=False, wraparound=False
"""The usual way over a link (link/link.py): what it counts is here, so that a message passes without a step through
Python but to whom it concerns.

Taken: streams whose one frame is all that there is to send; messages in the clear and parts of them; what is to be
written, unless the transport is full. Declined: all else, and what the session or the connection below declines.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE

cdef extern from "Python.h":
    int PyList_SetSlice(list, Py_ssize_t, Py_ssize_t, void*) except -1

from zerogate.native cimport sockets
from zerogate.native.books cimport SessionState, StreamState
from zerogate.native.faces cimport UsualFace
from zerogate.native.frames cimport octets
from zerogate.native.messages cimport (
    Bodies,
    TrafficState,
    frame_message,
    gather_message,
    next_body,
    take_message,
    try_bodies,
)
from zerogate.native.reads cimport ROOM_BYTES, Room, give_room, take_read, take_room
from zerogate.native.sender cimport give, go_on, try_long_reply, try_open, try_whole_reply
from zerogate.native.session cimport receive

# link/limits.py, link/gathering.py.
cdef enum:
    MAX_BATCH = 32
    MAX_PIECES = 4096
    MIN_GATHERED_BYTES = 32 * 1024

cdef object _Data, _StreamOpened, _Reply, _WholeReply, _Writable
cdef object _write_pieces
# `flush`, `flush_due` and `give_back` below, as the event loop is given them.
cdef object _flush, _flush_all, _give_back
# Which links are due, and in which event loop.
cdef list _due = []
cdef object _due_loop


def set_events(data, stream_opened, reply, whole_reply, writable):
    """Of wire/spdy/events.py. What is compiled imports nothing."""
    global _Data, _StreamOpened, _Reply, _WholeReply, _Writable
    _Data, _StreamOpened, _Reply, _WholeReply, _Writable = data, stream_opened, reply, whole_reply, writable


def set_parts(write_pieces):
    """transports.py, write_pieces."""
    global _write_pieces
    _write_pieces = write_pieces


cdef class LivenessState:
    """Below link/liveness.py, Liveness."""


cdef class LinkState:
    """Below link/link.py, Link; and how event loops read that ask where to (reads.pyx)."""

    def get_buffer(self, size_hint):
        if self._room is None:
            self._room = take_room()
        return self._room

    def buffer_updated(self, Py_ssize_t size):
        """link/link.py, Link.data_received."""
        cdef Room room = self._room
        cdef bytes octets
        if room is None:
            raise RuntimeError("a read without a room for it")
        self._room = None
        if size == ROOM_BYTES:
            # There may be more, and the event loop asks for a room before it looks; of nothing it does not tell.
            self._loop.call_soon(_give_back, self)
        octets = take_read(room, size)
        try:
            if take_message_of(self, octets):
                return
        except Exception as error:
            self._break_off(error)
            return
        self.data_received(octets)


def give_back(LinkState link not None):
    """The room that a link has, and does not read into."""
    cdef Room room = link._room
    if room is not None:
        link._room = None
        give_room(room)


def take_message_of(LinkState link not None, data):
    """link/link.py, Link._receive, of messages. False if it is declined."""
    cdef SessionState session
    cdef bytes message
    cdef list events
    cdef Bodies bodies
    cdef Py_ssize_t at, stop
    if type(data) is not bytes or not link.is_ready or link.is_suspect:
        return False
    message = take_message(link._zmtp, data)
    if message is None and not try_bodies(link._zmtp, data, &bodies):
        return False
    session = link.session
    link.liveness.heard = link._loop.time()
    link.bytes_in += PyBytes_GET_SIZE(data)
    if message is not None:
        events = []
        receive(session, message, <octets>PyBytes_AS_STRING(message), 0, PyBytes_GET_SIZE(message), events)
        _dispatch_all(link, events)
    else:
        while next_body(&bodies, data, &at, &stop):
            events = []
            receive(session, data, <octets>PyBytes_AS_STRING(data), at, stop, events)
            _dispatch_all(link, events)
    if session.error is not None or link._zmtp.error is not None or len(session.output) > MAX_PIECES:
        link._settle(data)
    elif link._has_opened:
        # Behind the tasks that new streams made.
        link._has_opened = False
        if not link._is_flush_due:
            link._is_flush_due = True
            link._loop.call_soon(_flush, link)
    elif session.output and not link._is_flush_due:
        _flush_soon(link)
    return True


cdef int _dispatch_all(LinkState link, list events) except -1:
    for event in events:
        _dispatch(link, event)
    return 0


cdef int _dispatch(LinkState link, event) except -1:
    """link/link.py, Link._dispatch."""
    cdef StreamState stream
    if type(event) is _WholeReply or type(event) is _Reply or type(event) is _Data or type(event) is _Writable:
        stream = (<tuple>event)[0]
        handler = stream.handler
        if handler is not None:
            try:
                if type(event) is _Reply:
                    handler.on_reply((<tuple>event)[1], (<tuple>event)[2])
                elif type(event) is _Data and isinstance(handler, UsualFace):
                    (<UsualFace>handler).hear_data((<tuple>event)[1], (<tuple>event)[2])
                elif type(event) is _Data:
                    handler.on_data((<tuple>event)[1], (<tuple>event)[2])
                elif type(event) is _Writable:
                    handler.on_writable()
                elif isinstance(handler, UsualFace):
                    (<UsualFace>handler).hear_whole_reply((<tuple>event)[1], (<tuple>event)[2])
                else:
                    handler.on_whole_reply((<tuple>event)[1], (<tuple>event)[2])
            except Exception as error:
                link._end_failed(handler, stream, error)
    elif type(event) is _StreamOpened:
        link._has_opened = True
        stream = (<tuple>event)[0]
        try:
            link._owner.on_stream(link, stream, (<tuple>event)[1], (<tuple>event)[2])
        except Exception as error:
            link._end_failed(stream.handler, stream, error)
    else:
        link._dispatch((event,))
    return 0


def flush(LinkState link not None):
    """link/output.py, LinkOutput._flush. What fails costs this link, and none that is due behind it."""
    cdef SessionState session = link.session
    cdef list events
    link._is_flush_due = False
    try:
        if not write_batch(link):
            link._flush()
        elif session._queue.is_held and not link._is_paused:
            session._queue.is_held = False
            events = []
            go_on(session, events)
            _dispatch_all(link, events)
            if not link._is_flush_due:
                _flush_soon(link)
    except Exception as error:
        link._break_off(error)


cpdef bint write_batch(LinkState link) except -1:
    """link/output.py, LinkOutput._flush_batch. False if it is declined."""
    cdef SessionState session = link.session
    cdef bytes message
    cdef list pieces
    cdef Py_ssize_t size
    if not link.is_ready or link._is_paused or link.is_closed:
        return False
    if session.output:
        message = frame_message(link._zmtp, session.output, MIN_GATHERED_BYTES)
        if message is None:
            pieces = gather_message(link._zmtp, session.output, &size)
            if pieces is None:
                return False
        PyList_SetSlice(session.output, 0, PyList_GET_SIZE(session.output), NULL)
        session._queue.batch_bytes = 0
        if message is None:
            link.bytes_out += size
            sockets.write_pieces(link._transport, link._descriptor, pieces, _write_pieces)
        else:
            link.bytes_out += PyBytes_GET_SIZE(message)
            sockets.write(link._transport, link._descriptor, message)
    link._n_batched = 0
    return True


cdef StreamState open_stream(LinkState link, bytes block, handler):
    """link/output.py, LinkOutput.open_stream, with FIN. None if it is declined."""
    cdef StreamState stream = try_open(<SessionState?>link.session, block, True)
    if stream is None:
        return None
    stream.handler = handler
    _add_to_batch(link)
    return stream


cdef int consumed(LinkState link, StreamState stream, long long size) except -1:
    """link/output.py, LinkOutput.consumed."""
    give(<SessionState?>link.session, stream, size)
    if (<SessionState>link.session).output and not link._is_flush_due:
        _flush_soon(link)
    return 0


cdef bint send_whole_reply(LinkState link, StreamState stream, bytes block, bytes data, bint is_bare) except -1:
    """link/output.py, LinkOutput.send_whole_reply; `is_bare`: Link.send_reply with FIN. False if it is declined."""
    cdef SessionState session = <SessionState?>link.session
    if not try_whole_reply(session, stream, block, data, is_bare):
        if is_bare or not try_long_reply(session, stream, block, data):
            return False
    _add_to_batch(link)
    return True


cdef int _add_to_batch(LinkState link) except -1:
    link._n_batched += 1
    if link._n_batched >= MAX_BATCH:
        link._flush_batch()
    elif not link._is_flush_due:
        _flush_soon(link)
    return 0


cdef int _flush_soon(LinkState link) except -1:
    """link/output.py, LinkOutput._flush_soon: one callback for all links of an event loop that are due in its turn."""
    global _due_loop
    link._is_flush_due = True
    if _due and _due_loop is not link._loop and _due_loop.is_closed():
        _due.clear()  # What was due there never comes.
    if not _due:
        _due_loop = link._loop
        _due.append(link)
        _due_loop.call_soon(_flush_all)
    elif link._loop is _due_loop:
        _due.append(link)
    else:
        link._loop.call_soon(_flush, link)
    return 0


def flush_due():
    """See `_flush_soon`."""
    cdef list due = _due[:]
    _due.clear()
    for link in due:
        flush(link)


_flush = flush
_flush_all = flush_due
_give_back = give_back

# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a session hears (wire/spdy/session.py), and all its fast paths, which Session asks first (`FastPaths`).

Taken, each only if the stream's state, the windows and the ids allow it without a word to anybody: frames that come
whole, a SYN_STREAM, a SYN_REPLY, alone or with all of its DATA, a WINDOW_UPDATE, and DATA, of which also pieces. Their
blocks must be stored ones, and good to whoever decodes them. What is said is in `sender.pyx`.

Declined: all else, and whatever breaks a rule. Of what comes, a frame that is declined goes to
`CarefulSession.receive` alone, and what follows it is tried here again: a session gives the same events however its
input is cut. Nothing is changed before a frame is taken.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM

from zerogate.native.books cimport (
    DONE,
    OPEN,
    REPLY_DUE,
    QueueState,
    ReaderState,
    SessionState,
    StreamState,
    TableState,
    WindowState,
    make_stream,
    remove,
)
from zerogate.native.frames cimport (
    CONTROL_BIT,
    FIN,
    HEADER_BYTES,
    MAX_CONTROL_BYTES,
    SYN_REPLY,
    SYN_STREAM,
    SYN_STREAM_BYTES,
    WINDOW_UPDATE,
    get_word,
    octets,
)
from zerogate.native.pieces cimport piece_of
from zerogate.native.sender cimport credit, give, go_on, pump, try_data, try_long_reply, try_open, try_whole_reply, wake

cdef extern from "Python.h":
    ctypedef struct Type "PyTypeObject":
        object tp_alloc(Type*, Py_ssize_t)

cdef enum:
    DEFAULT_WINDOW_BYTES = 64 * 1024
    MAX_WINDOW_BYTES = 0x7FFFFFFF

cdef object _StreamOpened, _Reply, _WholeReply, _Data


def set_events(stream_opened, reply, whole_reply, data):
    """Of wire/spdy/events.py. What is compiled imports nothing."""
    global _StreamOpened, _Reply, _WholeReply, _Data
    _StreamOpened, _Reply, _WholeReply, _Data = stream_opened, reply, whole_reply, data


cdef class FastPaths(SessionState):
    """Before wire/spdy/session.py, CarefulSession, and wire/spdy/sender.py, Sender."""

    def open_stream(self, block, fin):
        """wire/spdy/sender.py, Sender.open_stream."""
        cdef StreamState stream = try_open(self, block, fin) if type(block) is bytes else None
        return super().open_stream(block, fin) if stream is None else stream

    def send_whole_reply(self, StreamState stream not None, block, data):
        """wire/spdy/sender.py, Sender.send_whole_reply."""
        if type(block) is bytes and type(data) is bytes:
            if try_whole_reply(self, stream, block, data, False) or try_long_reply(self, stream, block, data):
                return None
        return super().send_whole_reply(stream, block, data)

    def receive(self, data):
        """wire/spdy/session.py, CarefulSession.receive."""
        cdef Py_buffer buffer
        cdef list events = []
        if type(data) is bytes:
            receive(self, data, <octets>PyBytes_AS_STRING(data), 0, PyBytes_GET_SIZE(data), events)
        elif type(data) is memoryview and data.readonly and data.c_contiguous and data.itemsize == data.ndim == 1:
            PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
            try:
                receive(self, data, <octets>buffer.buf, 0, buffer.len, events)
            finally:
                PyBuffer_Release(&buffer)
        else:
            return super().receive(data)
        return events

    def send_data(self, StreamState stream not None, data, fin):
        """wire/spdy/sender.py, Sender.send_data."""
        if not try_data(self, stream, data, fin):
            super().send_data(stream, data, fin)

    def consumed(self, StreamState stream not None, size):
        """wire/spdy/sender.py, Sender.consumed."""
        if 0 <= size <= MAX_WINDOW_BYTES:
            give(self, stream, size)
        else:
            super().consumed(stream, size)

    def _pump(self, list events):
        """wire/spdy/sender.py, Sender._pump."""
        if not pump(self, events):
            super()._pump(events)


cdef int receive(SessionState session, data, octets start, Py_ssize_t at, Py_ssize_t size, list events) except -1:
    """Each frame by the way it goes, of `data` from `at` to `size`. `start` is where its octets are."""
    cdef ReaderState reader = session._reader
    cdef Py_ssize_t stop, missing
    cdef bint is_reply
    while at < size and session.error is None:
        if reader._missing:
            at = _continue(session, data, start, at, size, events)
            continue
        if reader._partial:
            # A frame was cut: the rest of it goes where its beginning is.
            missing = max(reader._wanted - len(reader._partial), 1)
            stop = min(at + missing, size)
            is_reply = stop - at == missing and _begins_reply(reader._partial)
        else:
            stop = _take(session, data, start, at, size, events)
            if stop:
                at = stop
                continue
            stop = _end_of_frame(start, at, size)
            is_reply = size - at >= HEADER_BYTES and get_word(start + at) == SYN_REPLY
        if is_reply and _is_data(start, stop, size):
            stop = _end_of_frame(start, stop, size)  # A reply and its data are one event, whoever reads them.
        events += super(FastPaths, session).receive(piece_of(data, start, at, stop))
        at = stop
    return 0


cdef bint _begins_reply(bytearray octets_) noexcept:
    """Whether this is a SYN_REPLY's beginning, and its header is whole."""
    return PyByteArray_GET_SIZE(octets_) >= HEADER_BYTES and get_word(<octets>PyByteArray_AS_STRING(octets_)) == SYN_REPLY


cdef Py_ssize_t _end_of_frame(octets start, Py_ssize_t at, Py_ssize_t size) noexcept:
    """Where the frame that begins here ends, or what is here of it."""
    if size - at < HEADER_BYTES:
        return size
    return min(at + HEADER_BYTES + <Py_ssize_t>(get_word(start + at + 4) & 0xFFFFFF), size)


cdef bint _is_data(octets start, Py_ssize_t at, Py_ssize_t size) noexcept:
    return size - at >= HEADER_BYTES and get_word(start + at) < CONTROL_BIT


cdef Py_ssize_t _take(SessionState session, data, octets start, Py_ssize_t at, Py_ssize_t size, list events) except -1:
    """A frame, or a reply's two. Where the next begins; 0 if it is declined."""
    cdef unsigned int word, tail
    cdef Py_ssize_t length
    if size - at < HEADER_BYTES:
        return 0
    word = get_word(start + at)
    tail = get_word(start + at + 4)
    if tail >> 24 > FIN:
        return 0
    length = tail & 0xFFFFFF
    if word < CONTROL_BIT:
        return _take_data(session, data, start, at, size, word, tail >> 24, length, events)
    if length > size - at - HEADER_BYTES or length > MAX_CONTROL_BYTES:
        return 0
    if word == SYN_STREAM:
        return _take_opening(session, start, at, tail >> 24, length, events)
    if word == SYN_REPLY:
        return _take_reply(session, data, start, at, size, tail >> 24, length, events)
    if word == WINDOW_UPDATE and length == 8:
        return _take_credit(session, start, at, events)
    return 0


cdef Py_ssize_t _take_opening(
    SessionState session, octets start, Py_ssize_t at, unsigned int fin, Py_ssize_t length, list events
) except -1:
    """wire/spdy/session.py, CarefulSession._receive_syn_stream."""
    cdef TableState table = session._table
    cdef octets body = start + at + HEADER_BYTES
    cdef unsigned int stream_id
    cdef StreamState stream
    cdef bytes raw
    if length < SYN_STREAM_BYTES or session.is_going_away or table.peer_count >= session._max_peer_streams:
        return 0
    stream_id = get_word(body)
    if stream_id >= CONTROL_BIT or stream_id & 1 == table.parity or stream_id <= table.peer_id:
        return 0
    if get_word(body + 4):
        return 0
    raw = session._block_reader.peek(body + SYN_STREAM_BYTES, length - SYN_STREAM_BYTES)
    if raw is None:
        return 0
    try:
        fields = session._decode_opening(raw)
    except Exception:
        return 0
    session._block_reader.commit(raw)
    stream = make_stream(stream_id, REPLY_DUE, DONE if fin else OPEN, table._send_window_bytes)
    table.peer_id = stream_id
    table.streams[stream.id] = stream
    table.peer_count += 1
    events.append(_make_event(_StreamOpened, stream, fields, True if fin else False))
    return at + HEADER_BYTES + length


cdef Py_ssize_t _take_reply(
    SessionState session, data, octets start, Py_ssize_t at, Py_ssize_t size, unsigned int fin, Py_ssize_t length, list events
) except -1:
    """wire/spdy/session.py, CarefulSession._receive_whole_reply, and ._receive_block for the reply alone."""
    cdef octets body = start + at + HEADER_BYTES
    cdef Py_ssize_t stop = at + HEADER_BYTES + length
    cdef Py_ssize_t n_bytes
    cdef unsigned int stream_id, tail
    cdef StreamState stream
    cdef bytes raw
    if length < 4:
        return 0
    stream_id = get_word(body)
    if stream_id >= CONTROL_BIT:
        return 0
    stream = session.streams.get(stream_id)
    if stream is None or stream.remote != REPLY_DUE:
        return 0
    raw = session._block_reader.peek(body + 4, length - 4)
    if raw is None:
        return 0
    try:
        fields = session._decode_reply(raw)
    except Exception:
        return 0
    session._block_reader.commit(raw)
    if not fin and stream.local == DONE and size - stop >= HEADER_BYTES and get_word(start + stop) == stream_id:
        tail = get_word(start + stop + 4)
        n_bytes = tail & 0xFFFFFF
        if (
            tail >> 24 == FIN
            and n_bytes <= size - stop - HEADER_BYTES
            and n_bytes <= DEFAULT_WINDOW_BYTES
            and n_bytes <= session._window.available
        ):
            _pass_on(session, n_bytes)
            stream.remote = DONE
            del session.streams[stream.id]
            stop += HEADER_BYTES
            events.append(_make_event(_WholeReply, stream, fields, PyBytes_FromStringAndSize(<const char*>start + stop, n_bytes)))
            return stop + n_bytes
    stream.remote = DONE if fin else OPEN
    if fin and stream.local == DONE:
        remove(session._table, stream)
    events.append(_make_event(_Reply, stream, fields, True if fin else False))
    return stop


cdef Py_ssize_t _take_credit(SessionState session, octets start, Py_ssize_t at, list events) except -1:
    """wire/spdy/session.py, CarefulSession._receive_window_update. Who waits for credit is the queue's matter."""
    cdef unsigned int stream_id = get_word(start + at + HEADER_BYTES) & MAX_WINDOW_BYTES
    cdef unsigned int delta = get_word(start + at + HEADER_BYTES + 4) & MAX_WINDOW_BYTES
    cdef QueueState queue = session._queue
    cdef StreamState stream
    if not delta:
        return 0
    if not stream_id:
        if queue.window + delta > MAX_WINDOW_BYTES:
            return 0
        queue.window += delta
        go_on(session, events)
        return at + 2 * HEADER_BYTES
    stream = session.streams.get(stream_id)
    if stream is None or stream.local == DONE:
        return at + 2 * HEADER_BYTES
    if stream.send_window + delta > MAX_WINDOW_BYTES:
        return 0
    stream.send_window += delta
    wake(queue, stream)
    go_on(session, events)
    return at + 2 * HEADER_BYTES


cdef Py_ssize_t _take_data(
    SessionState session, data, octets start, Py_ssize_t at, Py_ssize_t size, unsigned int stream_id, unsigned int fin, Py_ssize_t length,
    list events
) except -1:
    """wire/spdy/session.py, CarefulSession._receive_data."""
    cdef ReaderState reader = session._reader
    cdef StreamState stream
    cdef WindowState window
    if length > session._window.available:
        return 0
    stream = session.streams.get(stream_id)
    if stream is None or stream.remote != OPEN:
        return 0
    window = stream.receive_window
    if window is None:
        window = session._window_of(stream)
    if length > window.available:
        return 0
    window.available -= length
    _pass_on(session, length)
    session._data_stream = stream
    reader._missing = length
    reader._flags = fin
    reader._stream_id = stream_id
    at += HEADER_BYTES
    if length:
        return _continue(session, data, start, at, size, events) if at < size else at
    if fin:
        _end(session, stream)
        events.append(_make_event(_Data, stream, b"", True))
    return at


cdef Py_ssize_t _continue(SessionState session, data, octets start, Py_ssize_t at, Py_ssize_t size, list events) except -1:
    """wire/spdy/session.py, CarefulSession._receive_more, and ._receive_piece. Where the frame ends, or `data`."""
    cdef ReaderState reader = session._reader
    cdef StreamState stream = session._data_stream
    cdef Py_ssize_t stop = min(at + <Py_ssize_t>reader._missing, size)
    cdef bint is_last = False
    reader._missing -= stop - at
    if stream is not None and stream.remote == OPEN:
        if reader._flags and not reader._missing:
            is_last = True
            _end(session, stream)
        events.append(_make_event(_Data, stream, piece_of(data, start, at, stop), is_last))
    return stop


cdef int _end(SessionState session, StreamState stream) except -1:
    """The peer's FIN has come."""
    stream.remote = DONE
    if stream.local == DONE:
        remove(session._table, stream)
    return 0


cdef int _pass_on(SessionState session, Py_ssize_t size) except -1:
    """wire/spdy/windows.py, ReceiveWindow.pass_on, of the session's window; and what it has to say."""
    cdef WindowState window = session._window
    cdef long long owed = window.owed + size
    if owed << 1 < window._limit:
        window.owed = owed
        window.available -= size
        return 0
    window.available += window.owed
    window.owed = 0
    if owed:
        credit(session, 0, owed)
    return 0


cdef object _make_event(kind, first, second, third):
    """A named tuple of three: what `tuple.__new__` makes, without a tuple to make it of."""
    cdef object event = (<Type*>kind).tp_alloc(<Type*>kind, 3)
    Py_INCREF(first)
    PyTuple_SET_ITEM(event, 0, first)
    Py_INCREF(second)
    PyTuple_SET_ITEM(event, 1, second)
    Py_INCREF(third)
    PyTuple_SET_ITEM(event, 2, third)
    return event

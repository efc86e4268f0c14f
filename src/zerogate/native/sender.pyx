# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a session says (wire/spdy/sender.py, and send_queue.py below it).

Taken, each only if the stream's state, the windows and the ids allow it: opening a stream; a reply that is all there;
DATA, at once or as windows let it go; credit. Blocks go as stored ones. Declined: all else, and whatever breaks a rule;
nothing is changed before anything is taken.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromObject
from libc.string cimport memcpy

from zerogate.native.books cimport (
    DONE,
    ENDING,
    OPEN,
    REPLY_DUE,
    QueueState,
    SessionState,
    StreamState,
    TableState,
    WindowState,
    make_stream,
    remove,
)
from zerogate.native.frames cimport (
    FIN,
    HEADER_BYTES,
    MAX_DATA_BYTES,
    MAX_STORED_BYTES,
    STORED_HEADER_BYTES,
    SYN_REPLY,
    SYN_STREAM,
    SYN_STREAM_BYTES,
    SYNC_FLUSH_BYTES,
    WINDOW_UPDATE,
    octets,
    put_stored,
    put_word,
)
from zerogate.native.pieces cimport VIEW_BYTES

cdef enum:
    # A reply's data up to here is copied behind its head: one piece of output instead of two, and less to join.
    MAX_COPIED_BYTES = 8 * 1024

cdef object _Writable, _deque


def set_parts(writable, deque):
    """wire/spdy/events.py, Writable, and collections.deque. What is compiled imports nothing."""
    global _Writable, _deque
    _Writable, _deque = writable, deque


cdef StreamState try_open(SessionState session, bytes block, bint fin):
    """wire/spdy/sender.py, Sender.open_stream; None if it is declined."""
    cdef TableState table = session._table
    cdef Py_ssize_t size = PyBytes_GET_SIZE(block)
    cdef unsigned char* at
    cdef StreamState stream
    cdef bytes frame
    if session._block_writer._prefix or table.next_id > table.top_id or size > MAX_STORED_BYTES:
        return None
    size += STORED_HEADER_BYTES + SYNC_FLUSH_BYTES
    stream = make_stream(table.next_id, DONE if fin else OPEN, REPLY_DUE, table._send_window_bytes)
    frame = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + SYN_STREAM_BYTES + size)
    at = <unsigned char*>PyBytes_AS_STRING(frame)
    at = put_word(at, SYN_STREAM)
    at = put_word(at, ((FIN if fin else 0) << 24) | <unsigned int>(SYN_STREAM_BYTES + size))
    at = put_word(at, <unsigned int>stream.id)
    at = put_word(at, 0)
    at[0] = at[1] = 0
    put_stored(at + 2, <octets>PyBytes_AS_STRING(block), PyBytes_GET_SIZE(block))
    table.streams[stream.id] = stream
    table.next_id += 2
    session.output.append(frame)
    return stream


cdef bint try_whole_reply(SessionState session, StreamState stream, bytes block, bytes data, bint is_bare) except -1:
    """wire/spdy/sender.py, Sender.send_whole_reply; `is_bare`: Sender.send_reply with FIN. False if it is declined."""
    cdef QueueState queue = session._queue
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t copied
    cdef unsigned char* at
    cdef bytes frame
    if (
        session._block_writer._prefix
        or stream.local != REPLY_DUE
        or queue.is_held
        or PyBytes_GET_SIZE(block) > MAX_STORED_BYTES
        or size > MAX_DATA_BYTES
        or size > stream.send_window
        or size > queue.window
    ):
        return False
    copied = size if size <= MAX_COPIED_BYTES else 0
    frame = _reply_frame(stream.id, block, is_bare, 0 if is_bare else HEADER_BYTES + copied)
    if not is_bare:
        at = <unsigned char*>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(frame) - HEADER_BYTES - copied
        at = put_word(at, <unsigned int>stream.id)
        at = put_word(at, (FIN << 24) | <unsigned int>size)
        memcpy(at, PyBytes_AS_STRING(data), copied)
    session.output.append(frame)
    if copied != size:
        session.output.append(data)
    _take_from_windows(queue, stream, size)
    _say_end(session, stream)
    return True


cdef bint try_long_reply(SessionState session, StreamState stream, bytes block, bytes data) except -1:
    """The same of a reply that takes several frames, or waits for a window. False if it is declined."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    if session._block_writer._prefix or stream.local != REPLY_DUE or not size or PyBytes_GET_SIZE(block) > MAX_STORED_BYTES:
        return False
    session.output.append(_reply_frame(stream.id, block, False, 0))
    stream.pending = _deque((data,))
    stream.pending_bytes = size
    stream.local = ENDING
    wake(session._queue, stream)
    go_on(session, [])
    return True


cdef bytes _reply_frame(long long stream_id, bytes block, bint fin, Py_ssize_t tail):
    """wire/spdy/frames.py, syn_reply, of a block that is to be stored; and `tail` octets behind it to be filled."""
    cdef Py_ssize_t wrapped = STORED_HEADER_BYTES + PyBytes_GET_SIZE(block) + SYNC_FLUSH_BYTES
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + 4 + wrapped + tail)
    cdef unsigned char* at = <unsigned char*>PyBytes_AS_STRING(frame)
    at = put_word(at, SYN_REPLY)
    at = put_word(at, ((FIN if fin else 0) << 24) | <unsigned int>(4 + wrapped))
    at = put_word(at, <unsigned int>stream_id)
    put_stored(at, <octets>PyBytes_AS_STRING(block), PyBytes_GET_SIZE(block))
    return frame


cdef bint try_data(SessionState session, StreamState stream, data, bint fin) except -1:
    """wire/spdy/send_queue.py, SendQueue.send_data, of what may go at once. False if it is declined."""
    cdef QueueState queue = session._queue
    cdef Py_ssize_t size
    if type(data) is not bytes or stream.local != OPEN or stream.pending is not None or queue.is_held:
        return False
    size = PyBytes_GET_SIZE(data)
    if not size or size > MAX_DATA_BYTES or size > stream.send_window or size > queue.window:
        return False
    _take_from_windows(queue, stream, size)
    session.output.append(_data_header(stream.id, size, fin))
    session.output.append(data)
    if fin:
        _say_end(session, stream)
    return True


cdef bytes _data_header(long long stream_id, Py_ssize_t size, bint fin):
    """wire/spdy/frames.py, data_header."""
    cdef bytes header = PyBytes_FromStringAndSize(NULL, HEADER_BYTES)
    put_word(
        put_word(<unsigned char*>PyBytes_AS_STRING(header), <unsigned int>stream_id),
        ((FIN if fin else 0) << 24) | <unsigned int>size,
    )
    return header


cdef int _take_from_windows(QueueState queue, StreamState stream, Py_ssize_t size) except -1:
    stream.send_window -= size
    queue.window -= size
    queue.batch_bytes += size
    if queue.batch_bytes > queue._max_batch_bytes:
        queue.is_held = True
    return 0


cdef int _say_end(SessionState session, StreamState stream) except -1:
    """wire/spdy/sender.py, Sender._move to DONE."""
    stream.local = DONE
    if stream.remote == DONE:
        remove(session._table, stream)
    return 0


cdef int give(SessionState session, StreamState stream, long long size) except -1:
    """wire/spdy/sender.py, Sender.consumed; wire/spdy/windows.py, ReceiveWindow.give."""
    cdef WindowState window = stream.receive_window
    cdef long long owed
    if stream.remote != OPEN or window is None:
        return 0
    owed = window.owed + size
    if owed << 1 < window._limit or not owed:
        window.owed = owed
        return 0
    window.owed = 0
    window.available += owed
    credit(session, stream.id, owed)
    return 0


cdef int credit(SessionState session, long long stream_id, long long size) except -1:
    """wire/spdy/frames.py, window_update."""
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, 2 * HEADER_BYTES)
    cdef unsigned char* at = <unsigned char*>PyBytes_AS_STRING(frame)
    at = put_word(put_word(at, WINDOW_UPDATE), 8)
    put_word(put_word(at, <unsigned int>stream_id), <unsigned int>size)
    session.output.append(frame)
    return 0


cdef int wake(QueueState queue, StreamState stream) except -1:
    """wire/spdy/send_queue.py, SendQueue.wake."""
    if stream.pending is not None and not stream.is_queued:
        if stream.send_window > 0 or not (stream.pending and stream.pending[0]):
            stream.is_queued = True
            queue._queue.append(stream)
    return 0


cdef int go_on(SessionState session, list events) except -1:
    if not pump(session, events):
        session._pump(events)
    return 0


cdef bint pump(SessionState session, list events) except -1:
    """wire/spdy/send_queue.py, SendQueue.pump. False if what is next is declined: all but data that a window lets go."""
    cdef QueueState queue = session._queue
    cdef StreamState stream
    waiting = queue._queue
    while waiting and not queue.is_held:
        stream = waiting[0]
        if not stream.pending or queue.window <= 0 or stream.send_window <= 0:
            return False
        first = stream.pending[0]
        if not (type(first) is bytes or type(first) is memoryview) or not first:
            return False
        waiting.popleft()
        stream.is_queued = False
        _frame_data(session, queue, stream, stream.pending, events)
        if stream.pending:
            wake(queue, stream)
            continue
        stream.pending = None
        if stream.local == ENDING:
            _say_end(session, stream)
    return True


cdef int _frame_data(SessionState session, QueueState queue, StreamState stream, pending, list events) except -1:
    """wire/spdy/send_queue.py, SendQueue._frame_data."""
    cdef Py_ssize_t room = min(min(stream.send_window, queue.window), MAX_DATA_BYTES)
    cdef Py_ssize_t size = 0, n
    cdef list pieces = []
    while pending:
        item = pending[0]
        if not (type(item) is bytes or type(item) is memoryview):
            break
        n = len(item)
        if size + n > room:
            view = item if type(item) is memoryview else PyMemoryView_FromObject(item)
            pieces.append(_cut_off(view, room - size))
            pending[0] = view[room - size :]
            size = room
            break
        pieces.append(item if type(item) is bytes else _cut_off(item, n))
        size += n
        pending.popleft()
    stream.pending_bytes -= size
    session.output.append(_data_header(stream.id, size, stream.local == ENDING and not pending))
    session.output += pieces
    _take_from_windows(queue, stream, size)
    if size and not stream.pending_bytes:
        events.append(_Writable(stream))
    return 0


cdef object _cut_off(view, Py_ssize_t size):
    """wire/spdy/send_queue.py, _cut_off."""
    return view[:size] if size >= VIEW_BYTES else bytes(view[:size])

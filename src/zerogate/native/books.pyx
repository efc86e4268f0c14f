# cython: language_level=3
"""What the parts of a SPDY session keep count of, as C numbers: the Python beside each name derives from it, so there is
one set of books, whoever writes into it.
"""

from cpython.object cimport PyObject

cdef extern from "Python.h":
    ctypedef struct Type "PyTypeObject":
        object tp_new(Type*, object, PyObject*)

cdef object _Stream


def set_stream(stream):
    """wire/spdy/streams.py, Stream. What is compiled imports nothing."""
    global _Stream
    _Stream = stream


cdef class WindowState:
    """Below wire/spdy/windows.py, ReceiveWindow."""


cdef class StreamState:
    """Below wire/spdy/streams.py, Stream."""


cdef class TableState:
    """Below wire/spdy/stream_table.py, StreamTable."""


cdef class QueueState:
    """Below wire/spdy/send_queue.py, SendQueue."""


cdef class ReaderState:
    """Below wire/spdy/frames.py, FrameReader."""


cdef class SessionState:
    """Below wire/spdy/sender.py, Sender."""


cdef StreamState make_stream(long long stream_id, int local, int remote, long long send_window):
    """wire/spdy/streams.py, Stream.__init__: what is not said here is 0, False or None."""
    cdef StreamState stream = <StreamState>(<Type*>_Stream).tp_new(<Type*>_Stream, (), NULL)
    stream.id = stream_id
    stream.local = local
    stream.remote = remote
    stream.send_window = send_window
    return stream


cdef int remove(TableState table, StreamState stream) except -1:
    """wire/spdy/stream_table.py, StreamTable.remove."""
    del table.streams[stream.id]
    if stream.id & 1 != table.parity:
        table.peer_count -= 1
    return 0

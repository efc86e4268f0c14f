# cython: language_level=3
"""What a session keeps count of, for the other fast paths of the way of a request."""

from zerogate.native.stored cimport BlockReaderState, BlockWriterState


# wire/spdy/streams.py: the states of a half.
cdef enum:
    REPLY_DUE = 0
    OPEN = 1
    ENDING = 2
    DONE = 3


cdef class WindowState:
    cdef public long long available, owed, _limit


cdef class StreamState:
    cdef public object handler, pending
    cdef public WindowState receive_window
    cdef public long long id, pending_bytes, send_window
    cdef public int local, remote
    cdef public bint is_queued


cdef class TableState:
    cdef public dict streams
    cdef public long long next_id, parity, peer_count, peer_id, top_id, _send_window_bytes


cdef class QueueState:
    cdef public long long batch_bytes, window, _max_batch_bytes
    cdef public bint is_held
    cdef public object _output, _queue, _writer


cdef class ReaderState:
    cdef public object error
    cdef public bytearray _partial
    cdef public long long _flags, _missing, _stream_id, _wanted


cdef class SessionState:
    cdef public TableState _table
    cdef public QueueState _queue
    cdef public ReaderState _reader
    cdef public WindowState _window
    cdef public BlockReaderState _block_reader
    cdef public BlockWriterState _block_writer
    cdef public StreamState _data_stream
    cdef public object _decode_opening, _decode_reply, error
    cdef public dict streams
    cdef public list output
    cdef public long long _max_peer_streams
    cdef public bint is_going_away


cdef StreamState make_stream(long long stream_id, int local, int remote, long long send_window)
cdef int remove(TableState table, StreamState stream) except -1

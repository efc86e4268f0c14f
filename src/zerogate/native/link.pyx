# cython: language_level=3
"""Onto a link (link/link.py): its counts are here, so that a stream can be opened without a step through Python.

Taken: streams whose one frame is all that there is to send. Declined: what their session declines.
"""

from zerogate.native.session cimport SessionState, StreamState, try_open

cdef enum:
    MAX_BATCH = 32  # link/limits.py


cdef class LinkState:
    """Below link/link.py, Link."""


cdef StreamState open_stream(LinkState link, bytes block, handler):
    """link/link.py, Link.open_stream, with FIN. None if it is declined."""
    cdef StreamState stream = try_open(<SessionState?>link.session, block, True)
    if stream is None:
        return None
    stream.handler = handler
    link._n_batched += 1
    if link._n_batched >= MAX_BATCH:
        link._flush_batch()
    elif not link._is_flush_due:
        link._flush_soon()
    return stream

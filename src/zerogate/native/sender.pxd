# cython: language_level=3
"""What a session says in the usual way."""

from zerogate.native.books cimport QueueState, SessionState, StreamState


cdef StreamState try_open(SessionState session, bytes block, bint fin)
cdef bint try_whole_reply(SessionState session, StreamState stream, bytes block, bytes data, bint is_bare) except -1
cdef bint try_long_reply(SessionState session, StreamState stream, bytes block, bytes data) except -1
cdef bint try_data(SessionState session, StreamState stream, data, bint fin) except -1
cdef int give(SessionState session, StreamState stream, long long size) except -1
cdef int credit(SessionState session, long long stream_id, long long size) except -1
cdef int wake(QueueState queue, StreamState stream) except -1
cdef bint pump(SessionState session, list events) except -1
cdef int go_on(SessionState session, list events) except -1

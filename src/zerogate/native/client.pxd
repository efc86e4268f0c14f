# cython: language_level=3
"""What a client of HTTP/1 keeps count of; and what an exchange asks of one, in the words of router/faces.py."""

from zerogate.native.desk cimport DeskState, ForwardingState
from zerogate.native.heads cimport ReplyHead
from zerogate.native.http1 cimport ConnectionState


cdef class ClientState:
    cdef public ConnectionState _connection
    cdef public DeskState _desk
    cdef public ForwardingState _forwarding
    cdef public object _exchange, _timed, _transport
    cdef public list _held
    cdef public double deadline
    cdef public long long _credit_bytes, _held_bytes, bytes_out
    cdef public int _descriptor
    cdef public bint _is_body_held, _is_handing_on, _is_paused, is_writable


cdef bint try_send_whole(client, ReplyHead head, bytes body) except -1
cdef bint try_send_head(client, ReplyHead head) except -1
cdef bint try_send_end(ClientState client) except -1
cdef bint try_send_body(ClientState client, data, Py_ssize_t size) except -1
cdef int end(client) except -1
cdef int expect(client, double seconds) except -1

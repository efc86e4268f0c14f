# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A client's connection (wire/http1/connection.py) between two requests, and at a reply that is all there.

Taken: octets that are the head of one request without a body, of a connection that goes on; a reply to a request of
HTTP/1.1 that is no HEAD: a whole one whose length is right, and head and end of one that says its length. Declined: all
else. Nothing is changed before anything is taken.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from zerogate.native.heads cimport ReplyHead, RequestHead

# Members of wire/http1/situations.py, Writing and Reading; and of writer.py, Framing.
cdef object _IDLE, _DUE, _BODY, _READING_IDLE, _NOTHING, _LENGTH


def set_members(idle, due, body, reading_idle, nothing, length):
    """What is compiled imports nothing."""
    global _IDLE, _DUE, _BODY, _READING_IDLE, _NOTHING, _LENGTH
    _IDLE, _DUE, _BODY, _READING_IDLE, _NOTHING, _LENGTH = idle, due, body, reading_idle, nothing, length


cdef class ReaderState:
    """Below wire/http1/reader.py, RequestReader."""


cdef class ConnectionState:
    """Below wire/http1/connection.py, Connection."""


cdef bint is_idle(ConnectionState connection) except -1:
    """wire/http1/connection.py, Connection.is_idle."""
    return connection.writing is _IDLE and connection._reader.state is _READING_IDLE


cdef bint is_body_bare(ConnectionState connection) except -1:
    """wire/http1/connection.py, Connection.send_body: whether it is the octets alone, as where Content-Length says."""
    return connection._framing is _LENGTH


cdef RequestHead take_head(ConnectionState connection, data):
    """wire/http1/connection.py, Connection.receive. None if it is declined."""
    cdef RequestHead head
    if type(data) is not bytes or connection._is_held or connection._unread or not is_idle(connection):
        return None
    head = connection._read_natively(data)
    if head is None or not head.keep_alive or head.has_body:
        return None
    connection.writing = _DUE
    connection.request = head
    return head


cdef bytes frame_whole(ConnectionState connection, ReplyHead head, bytes body, bytes date):
    """wire/http1/connection.py, Connection.send_whole, on a connection that goes on. None if it is declined."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body)
    cdef bytes octets
    if not _goes_on(connection, head) or (size if head.is_bodiless else head.body_length != size):
        return None
    octets = _frame(head, body, date)
    connection.writing = _IDLE
    connection.request = None
    return octets


cdef bytes frame_head(ConnectionState connection, ReplyHead head, bytes date):
    """wire/http1/connection.py, Connection.send_head, of a reply with Content-Length. None if it is declined."""
    cdef bytes octets
    if not _goes_on(connection, head) or head.body_length is None:
        return None
    octets = _frame(head, b"", date)
    connection.writing = _BODY
    connection._framing = _LENGTH
    return octets


cdef bint try_finish(ConnectionState connection) except -1:
    """wire/http1/connection.py, Connection.send_end, of a reply with Content-Length. False if it is declined."""
    if connection.writing is not _BODY or connection._framing is not _LENGTH or connection.must_close:
        return False
    connection.writing = _IDLE
    connection.request = None
    connection._framing = _NOTHING
    return True


cdef bint _goes_on(ConnectionState connection, ReplyHead head) except -1:
    """Whether a reply is due to a request of HTTP/1.1 that is no HEAD, and another may follow it."""
    cdef RequestHead request
    if (
        connection.writing is not _DUE
        or connection.must_close
        or connection.is_half_closed
        or type(connection.request) is not RequestHead
        or type(head.note) is not bytes
    ):
        return False
    request = connection.request
    return request.minor_version and request.method != b"HEAD"


cdef bytes _frame(ReplyHead head, bytes body, bytes date):
    cdef bytes octets, text = head.note
    cdef char* to
    if head.has_date:
        date = b""
    octets = PyBytes_FromStringAndSize(
        NULL, PyBytes_GET_SIZE(text) + (8 + PyBytes_GET_SIZE(date) if date else 0) + 4 + PyBytes_GET_SIZE(body)
    )
    to = _put(PyBytes_AS_STRING(octets), text)
    if date:
        to = _put(_put(to, b"\r\ndate: "), date)
    _put(_put(to, b"\r\n\r\n"), body)
    return octets


cdef inline char* _put(char* to, bytes text) noexcept:
    memcpy(to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return to + PyBytes_GET_SIZE(text)

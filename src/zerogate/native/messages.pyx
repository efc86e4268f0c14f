# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Messages of a ZMTP connection (wire/zmtp/connection.py) in the clear, as most of them are.

Taken: a message of one frame that is all there is to read, and one of small pieces to write. Declined: all else, and
nothing is changed by what is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from zerogate.native.octets cimport octets, read_word, write_word

# wire/zmtp/frames.py.
cdef enum:
    LONG = 2
    SHORT_HEADER_BYTES = 2
    LONG_HEADER_BYTES = 9
    MAX_SHORT_BYTES = 255
    # wire/pieces.py: from here on a part is a view.
    VIEW_BYTES = 16 * 1024


cdef class TrafficState:
    """Below wire/zmtp/connection.py, Connection."""


cdef bytes take_message(TrafficState traffic, bytes data):
    """wire/zmtp/connection.py, Connection.receive: the body of the one message. None if it is declined."""
    cdef octets at = <octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t header, body
    if not traffic._is_between_frames or size <= SHORT_HEADER_BYTES:
        return None
    if at[0] == 0:
        header, body = SHORT_HEADER_BYTES, at[1]
    elif at[0] == LONG and size > LONG_HEADER_BYTES and not read_word(at + 1):
        header, body = LONG_HEADER_BYTES, read_word(at + 5)
        if body > traffic._max_frame_bytes:
            return None
    else:
        return None
    if body != size - header or body >= VIEW_BYTES:
        return None
    return PyBytes_FromStringAndSize(<const char*>at + header, body)


cdef bytes frame_message(TrafficState traffic, list pieces, Py_ssize_t most):
    """wire/zmtp/connection.py, Connection.encode. None if it is declined, as are pieces of `most` octets or more."""
    cdef Py_ssize_t size = 0, n
    cdef bytes message
    cdef unsigned char* at
    if not traffic.is_ready or traffic._cipher is not None:
        return None
    for piece in pieces:
        if not PyBytes_CheckExact(piece):
            return None
        size += PyBytes_GET_SIZE(piece)
    if size >= most:
        return None
    message = PyBytes_FromStringAndSize(NULL, (SHORT_HEADER_BYTES if size <= MAX_SHORT_BYTES else LONG_HEADER_BYTES) + size)
    at = <unsigned char*>PyBytes_AS_STRING(message)
    if size <= MAX_SHORT_BYTES:
        at[0] = 0
        at[1] = <unsigned char>size
        at += SHORT_HEADER_BYTES
    else:
        at[0] = LONG
        at = write_word(write_word(at + 1, 0), <unsigned int>size)
    for piece in pieces:
        n = PyBytes_GET_SIZE(piece)
        memcpy(at, PyBytes_AS_STRING(piece), n)
        at += n
    return message

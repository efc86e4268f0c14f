# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Messages of a ZMTP connection (wire/zmtp/connection.py) in the clear, as most of them are.

Taken: messages to read, or parts of them, unless a frame's header is cut; and one of small pieces to write. Declined:
all else, and nothing is changed by what is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from zerogate.native.octets cimport octets, read_word, write_word
from zerogate.native.pieces cimport VIEW_BYTES, join_small

# wire/zmtp/frames.py.
cdef enum:
    LONG = 2
    SHORT_HEADER_BYTES = 2
    LONG_HEADER_BYTES = 9
    MAX_SHORT_BYTES = 255

# Members of wire/zmtp/states.py, State.
cdef object _FRAME, _MESSAGE


def set_states(frame, message):
    """What is compiled imports nothing."""
    global _FRAME, _MESSAGE
    _FRAME, _MESSAGE = frame, message


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


cdef bint try_bodies(TrafficState traffic, bytes data, Bodies* bodies) except -1:
    """wire/zmtp/connection.py, Connection.receive: what is in `data` of the bodies of messages, for `next_body`. False if
    it is declined."""
    cdef octets start = <octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Bodies ahead
    if not traffic._left and not traffic._is_between_frames:
        return False
    bodies.at = ahead.at = 0
    bodies.left = ahead.left = traffic._left
    while ahead.at < size:
        if not ahead.left and (not _take_header(&ahead, start, size) or ahead.left > traffic._max_frame_bytes):
            return False
        _pass_body(&ahead, size)
    traffic._left = ahead.left
    traffic._is_between_frames = not ahead.left
    traffic._state = _MESSAGE if ahead.left else _FRAME
    traffic._need = 1 if ahead.left else SHORT_HEADER_BYTES
    return True


cdef bint next_body(Bodies* bodies, bytes data, Py_ssize_t* at, Py_ssize_t* stop) noexcept:
    """The next of those that `try_bodies` has seen. False if there is none."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    while bodies.at < size:
        if not bodies.left:
            _take_header(bodies, <octets>PyBytes_AS_STRING(data), size)
        at[0] = bodies.at
        _pass_body(bodies, size)
        stop[0] = bodies.at
        if at[0] < stop[0]:
            return True
    return False


cdef bint _take_header(Bodies* bodies, octets start, Py_ssize_t size) noexcept:
    """Of the next message. False if it is cut, or none that is usual."""
    cdef Py_ssize_t at = bodies.at
    if size - at >= SHORT_HEADER_BYTES and not start[at]:
        bodies.left = start[at + 1]
        bodies.at = at + SHORT_HEADER_BYTES
    elif size - at >= LONG_HEADER_BYTES and start[at] == LONG and not read_word(start + at + 1):
        bodies.left = read_word(start + at + 5)
        bodies.at = at + LONG_HEADER_BYTES
    else:
        return False
    return True


cdef void _pass_body(Bodies* bodies, Py_ssize_t size) noexcept:
    cdef Py_ssize_t n = <Py_ssize_t>min(bodies.left, <long long>(size - bodies.at))
    bodies.at += n
    bodies.left -= n


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
    at = _put_header(<unsigned char*>PyBytes_AS_STRING(message), size)
    for piece in pieces:
        n = PyBytes_GET_SIZE(piece)
        memcpy(at, PyBytes_AS_STRING(piece), n)
        at += n
    return message


cdef list gather_message(TrafficState traffic, list pieces, Py_ssize_t* size):
    """wire/zmtp/connection.py, Connection.encode_pieces, with small ones joined. `size` is how much there is in all. None
    if it is declined."""
    cdef unsigned char[LONG_HEADER_BYTES] header
    cdef Py_ssize_t n
    if not traffic.is_ready or traffic._cipher is not None:
        return None
    size[0] = 0
    for piece in pieces:
        size[0] += len(piece)
    n = _put_header(header, size[0]) - header
    size[0] += n
    return join_small([PyBytes_FromStringAndSize(<const char*>header, n), *pieces])


cdef unsigned char* _put_header(unsigned char* at, Py_ssize_t size) noexcept:
    """wire/zmtp/frames.py, message_header. Where it ends."""
    if size <= MAX_SHORT_BYTES:
        at[0] = 0
        at[1] = <unsigned char>size
        return at + SHORT_HEADER_BYTES
    at[0] = LONG
    return write_word(write_word(at + 1, size >> 32), <unsigned int>size)

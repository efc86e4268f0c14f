# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Messages of a ZMTP connection (wire/zmtp/connection.py) in the clear, as most of them are.

Taken: messages to read, or parts of them, unless a frame's header is cut; and one of small pieces to write. Declined:
all else, and nothing is changed by what is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from zerogate.native.octets cimport octets, read_word, write_word
from zerogate.native.pieces cimport VIEW_BYTES, piece_of

# wire/zmtp/frames.py.
cdef enum:
    LONG = 2
    SHORT_HEADER_BYTES = 2
    LONG_HEADER_BYTES = 9
    MAX_SHORT_BYTES = 255

# Members of wire/zmtp/states.py, State; and of wire/pieces.py.
cdef object _FRAME, _MESSAGE, _join_small


def set_parts(frame, message, join_small):
    """What is compiled imports nothing."""
    global _FRAME, _MESSAGE, _join_small
    _FRAME, _MESSAGE, _join_small = frame, message, join_small


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


cdef list take_pieces(TrafficState traffic, bytes data):
    """wire/zmtp/connection.py, Connection.receive: the pieces of bodies. None if it is declined."""
    cdef octets start = <octets>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t at = 0, stop
    cdef long long left = traffic._left
    cdef list pieces = []
    if not left and not traffic._is_between_frames:
        return None
    while at < size:
        if left:
            stop = at + <Py_ssize_t>min(left, size - at)
            pieces.append(piece_of(data, start, at, stop, size))
            left -= stop - at
            at = stop
        elif size - at >= SHORT_HEADER_BYTES and not start[at]:
            left = start[at + 1]
            at += SHORT_HEADER_BYTES
        elif size - at >= LONG_HEADER_BYTES and start[at] == LONG and not read_word(start + at + 1):
            left = read_word(start + at + 5)
            at += LONG_HEADER_BYTES
            if left > traffic._max_frame_bytes:
                return None
        else:
            return None
    traffic._left = left
    traffic._is_between_frames = not left
    traffic._state = _MESSAGE if left else _FRAME
    traffic._need = 1 if left else SHORT_HEADER_BYTES
    return pieces


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
    return _join_small([PyBytes_FromStringAndSize(<const char*>header, n), *pieces])


cdef unsigned char* _put_header(unsigned char* at, Py_ssize_t size) noexcept:
    """wire/zmtp/frames.py, message_header. Where it ends."""
    if size <= MAX_SHORT_BYTES:
        at[0] = 0
        at[1] = <unsigned char>size
        return at + SHORT_HEADER_BYTES
    at[0] = LONG
    return write_word(write_word(at + 1, size >> 32), <unsigned int>size)

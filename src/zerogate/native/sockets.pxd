# cython: language_level=3
"""Writing to a socket of the event loop's without a step through the event loop."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromObject
from libc.string cimport memset

cdef extern from *:
    """
    #include <sys/socket.h>
    #include <sys/uio.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    """
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    Py_ssize_t send(int descriptor, const void* octets, size_t size, int flags)
    Py_ssize_t sendmsg(int descriptor, const msghdr* message, int flags)

cdef enum:
    # More is for the transport. A batch of a link's is four frames, with a header each.
    MAX_GATHERED = 32


cdef inline int write(transport, int descriptor, bytes octets) except -1:
    """What `transport.write` does, mostly in one system call. `descriptor`: transports.py, descriptor_of.

    It may be written to by us only while the transport has nothing to write itself, and is not about to end. Whatever
    goes wrong goes wrong for the transport again, which knows what to do.
    """
    cdef Py_ssize_t sent
    if descriptor >= 0 and not transport.get_write_buffer_size() and not transport.is_closing():
        sent = send(descriptor, PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets), MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent == PyBytes_GET_SIZE(octets):
            return 0
        if sent > 0:
            octets = octets[sent:]
    transport.write(octets)
    return 0


cdef inline int write_pieces(transport, int descriptor, list pieces, gather) except -1:
    """The same of many pieces: what `gather` does, which is transports.py, write_pieces."""
    cdef Py_ssize_t sent
    if (
        descriptor >= 0
        and len(pieces) <= MAX_GATHERED
        and not transport.get_write_buffer_size()
        and not transport.is_closing()
    ):
        sent = _send_pieces(descriptor, pieces)
        if sent > 0:
            pieces = _behind(pieces, sent)
            if not pieces:
                return 0
    if len(pieces) == 1:
        transport.write(pieces[0])
    else:
        gather(transport, pieces)
    return 0


cdef inline Py_ssize_t _send_pieces(int descriptor, list pieces) except? -2:
    """How much the socket took; -1 if nothing."""
    cdef Py_buffer[MAX_GATHERED] buffers
    cdef iovec[MAX_GATHERED] vectors
    cdef msghdr message
    cdef Py_ssize_t n = 0
    memset(&message, 0, sizeof(message))
    try:
        for piece in pieces:
            PyObject_GetBuffer(piece, &buffers[n], PyBUF_SIMPLE)
            vectors[n].iov_base = buffers[n].buf
            vectors[n].iov_len = buffers[n].len
            n += 1
        message.msg_iov = vectors
        message.msg_iovlen = n
        return sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
    finally:
        while n:
            n -= 1
            PyBuffer_Release(&buffers[n])


cdef inline list _behind(list pieces, Py_ssize_t sent):
    """What is left of them."""
    cdef list left = []
    cdef Py_ssize_t size
    for piece in pieces:
        size = len(piece)
        if sent >= size:
            sent -= size
            continue
        left.append(PyMemoryView_FromObject(piece)[sent:] if sent else piece)
        sent = 0
    return left

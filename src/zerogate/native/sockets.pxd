# cython: language_level=3
"""Writing to a socket of the event loop's without a step through the event loop."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

cdef extern from *:
    """
    #include <sys/socket.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif
    """
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
    Py_ssize_t send(int descriptor, const void* octets, size_t size, int flags)


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

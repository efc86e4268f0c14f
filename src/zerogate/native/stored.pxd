from zerogate.native.frames cimport octets

cdef enum:
    WINDOW_BYTES = 32 * 1024


cdef class BlockReaderState:
    cdef public object _inflater
    cdef public bint has_begun
    cdef unsigned char* window
    cdef Py_ssize_t window_at
    cdef Py_ssize_t window_used

    cdef bytes peek(self, octets data, Py_ssize_t size)
    cdef int commit(self, bytes raw) except -1
    cdef int _begin(self) except -1
    cdef void _remember(self, octets data, Py_ssize_t size) noexcept
    cdef bytes _take_window(self)


cdef class BlockWriterState:
    cdef public bytes _prefix

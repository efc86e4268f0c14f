# cython: language_level=3
"""The calls of the faces that most exchanges consist of (router/faces.py, ClientExchange; link/handlers.py,
StreamHandler)."""


cdef class UsualFace:
    """Below native/exchange.pyx, UsualExchange."""

    cdef int start(self) except -1:
        """ClientExchange.begin."""
        raise NotImplementedError

    cdef int hear_whole_reply(self, fields, data) except -1:
        """StreamHandler.on_whole_reply."""
        raise NotImplementedError

    cdef int hear_data(self, data, bint fin) except -1:
        """StreamHandler.on_data."""
        raise NotImplementedError

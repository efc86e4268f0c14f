# cython: language_level=3
"""Where reads go: into what becomes the octets that were read, so that much of it is not copied once more.

An event loop that asks for it (uvloop, of a protocol that has `get_buffer` and is no asyncio.Protocol) reads into a Room,
and then says how much that was. Of little a copy is made, and the room is used again; of much the room is what was read.
From `take_room` to `take_read` a room is one protocol's alone, whatever threads there are.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF

cdef extern from "Python.h":
    int _PyBytes_Resize(PyObject** octets, Py_ssize_t size) except -1

cdef enum:
    # From here on the room is what was read.
    MIN_KEPT_BYTES = 64 * 1024
    # So many wait for the next reads: one is enough for an event loop.
    MAX_SPARE = 2

cdef list _spare = []


cdef class Room:
    """Octets that nobody has seen yet, to be written to."""

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, PyBytes_AS_STRING(self._octets), PyBytes_GET_SIZE(self._octets), False, flags)


cdef Room take_room():
    cdef Room room
    room = _spare.pop() if _spare else Room.__new__(Room)
    if room._octets is None:
        room._octets = PyBytes_FromStringAndSize(NULL, ROOM_BYTES)
    return room


cdef bytes take_read(Room room, Py_ssize_t size):
    """The first `size` octets. The room is not its taker's any more."""
    cdef PyObject* read
    cdef bytes octets
    if size < MIN_KEPT_BYTES:
        octets = PyBytes_FromStringAndSize(PyBytes_AS_STRING(room._octets), size)
    else:
        # Nobody else refers to them, or they could not be cut.
        octets = room._octets
        room._octets = None
        if size != ROOM_BYTES:
            Py_INCREF(octets)
            read = <PyObject*>octets
            octets = None
            try:
                _PyBytes_Resize(&read, size)
                octets = <bytes>read
            finally:
                Py_XDECREF(read)
    give_room(room)
    return octets


cdef int give_room(Room room) except -1:
    """It has not been used, or what was read is not in it any more."""
    if len(_spare) < MAX_SPARE:
        _spare.append(room)
    return 0

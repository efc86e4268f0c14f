# cython: language_level=3
"""Where reads go, before it is known how much they bring."""


cdef enum:
    ROOM_BYTES = 256 * 1024


cdef class Room:
    cdef bytes _octets


cdef Room take_room()
cdef bytes take_read(Room room, Py_ssize_t size)
cdef int give_room(Room room) except -1

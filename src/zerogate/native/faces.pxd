# cython: language_level=3
"""What an exchange that is compiled is told by whom is compiled, too: no method is made for it, and no arguments."""


cdef class UsualFace:
    cdef int start(self) except -1
    cdef int hear_whole_reply(self, fields, data) except -1
    cdef int hear_data(self, data, bint fin) except -1

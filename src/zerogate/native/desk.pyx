# cython: language_level=3
"""What a desk does for each request (router/desk.py).

Taken: requests of who is not trusted, or claims nothing, and ends that no log is told of. Declined: all else.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy

from zerogate.native.heads cimport RequestHead
from zerogate.native.names cimport CLAIM


cdef class CountersState:
    """Below router/counters.py, Counters."""


cdef class DeadlinesState:
    """Below router/deadlines.py, Deadlines."""


cdef class DateState:
    """Below router/date.py, HttpDate."""


cdef class ForwardingState:
    """Below router/forwarding.py, Forwarding."""


cdef class DeskState:
    """Below router/desk.py, Desk."""


cdef object make_exchange(DeskState desk, client, head, ForwardingState forwarding):
    """router/desk.py, Desk.make_exchange."""
    if forwarding.is_trusted and not _claims_nothing(head):
        return desk.make_exchange(client, head, forwarding)
    desk.counters.requests += 1
    return desk._answer(desk, client, head, forwarding, _new_request_id(desk))


cdef bint _claims_nothing(head) noexcept:
    """router/request_block.py, has_claims, of a head that was read natively."""
    return type(head) is RequestHead and (<RequestHead>head).lines != NULL and not (<RequestHead>head).marks & CLAIM


cdef bytes _new_request_id(DeskState desk):
    """router/desk.py, Desk.new_request_id."""
    cdef Py_ssize_t n_digits = 1
    cdef Py_ssize_t size = PyBytes_GET_SIZE(desk._id_prefix)
    cdef unsigned long long left
    cdef bytes made
    cdef char* at
    desk._n_ids += 1
    left = <unsigned long long>desk._n_ids
    while left >> (4 * n_digits) and n_digits < 16:
        n_digits += 1
    made = PyBytes_FromStringAndSize(NULL, size + 1 + n_digits)
    at = PyBytes_AS_STRING(made)
    memcpy(at, PyBytes_AS_STRING(desk._id_prefix), size)
    at[size] = c"-"
    at += size + n_digits
    while n_digits:
        at[0] = b"0123456789abcdef"[left & 15]
        left >>= 4
        at -= 1
        n_digits -= 1
    return made


cdef int note(desk, entry, client, int status) except -1:
    """router/desk.py, Desk.note."""
    if not isinstance(desk, DeskState) or (<DeskState>desk)._access_log is not None or not status:
        desk.note(entry, client)
    else:
        (<DeskState>desk).counters.replies[status // 100] += 1
    return 0

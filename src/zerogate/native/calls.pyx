# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A request at the worker from its slot to its end (worker/capacity.py, worker/call.py), as most of them go.

Here is what both keep count of: the Python beside each name derives from it, so there is one set of books, whoever
writes into it. And here are the fast paths over them, which `CapacityShare` and `Call` ask first.

Taken: a slot while there is room, nobody has a turn and no grant is used up, and its end; a request without a body, a
head without trailers, and pieces of a body that are bytes, while nobody waits for anything. Declined: all else, and
nothing is changed before.
"""

from cpython.bytes cimport PyBytes_CheckExact

from zerogate.native.books cimport StreamState
from zerogate.native.link cimport LinkState, send_whole_reply


# Slots

cdef class RouterState:
    """Below worker/capacity.py, RouterShare."""

    cdef public long long in_flight, apart, peak, refused, need, granted, invitations
    cdef public bint is_leaving, is_gone


cdef class ShareState:
    """Below worker/capacity.py, CarefulShare."""

    cdef public long long capacity, in_flight
    cdef public bint is_pressed, is_short
    cdef public dict _routers
    cdef public list _turns


cdef class FastShare(ShareState):
    """Before worker/capacity.py, CarefulShare."""

    def take_slot(self, router):
        """worker/capacity.py, CarefulShare.take_slot."""
        cdef RouterState state
        if self.in_flight >= self.capacity or self._turns:
            return super().take_slot(router)
        state = self._routers[router]
        if state.in_flight + 1 >= state.granted and not self.is_pressed and len(self._routers) > 1:
            return super().take_slot(router)
        self.in_flight += 1
        state.in_flight += 1
        if state.in_flight > state.peak:
            state.peak = state.in_flight
        return True

    def free_slot(self, router):
        """worker/capacity.py, CarefulShare.free_slot."""
        cdef RouterState state = self._routers[router]
        if state.is_gone or self._turns or (self.is_short and not self.is_pressed):
            return super().free_slot(router)
        self.in_flight -= 1
        state.in_flight -= 1
        return None


# Calls

cdef class CallState:
    """Below worker/call.py, CarefulCall."""


cdef class FastCall(CallState):
    """Before worker/call.py, CarefulCall."""

    def __init__(self, owner, link, stream, fields, bint fin):
        cdef set calls
        if not fin:
            super().__init__(owner, link, stream, fields, fin)
            return
        self._owner = owner
        self._stream = stream
        self.link = link
        self.fields = fields
        self._head = b""
        self._waiters = ()
        self.has_body_ended = True
        stream.handler = self
        calls = owner.calls
        calls.add(self)

    def begin_reply(self, block, has_trailers=False):
        """worker/call.py, CarefulCall.begin_reply."""
        if has_trailers or not PyBytes_CheckExact(block) or not self.take_start(block):
            super().begin_reply(block, has_trailers)

    def send_body(self, data, bint more):
        """worker/call.py, CarefulCall.send_body."""
        if self.take_piece(data, more):
            return self.has_much_pending()
        return super().send_body(data, more)

    def end(self):
        """worker/call.py, CarefulCall.end."""
        cdef set calls
        if self.stage < COMPLETE or self._timer is not None:
            super().end()
            return
        self._stream.handler = None
        self.work = None
        owner = self._owner
        calls = owner.calls
        calls.remove(self)
        owner.free_slot(self.link)

    cdef bint take_start(self, bytes block) except -1:
        """A head whose reply has no trailers."""
        if self.stage != NEW:
            return False
        self.stage = HEAD
        self._head = block
        return True

    cdef bint take_piece(self, data, bint more) except -1:
        """A piece of the body: the last, or one behind others."""
        if not PyBytes_CheckExact(data) or self._has_trailers or self._waiters:
            return False
        if self.stage == HEAD and not more:
            self._reply_whole(data)
        elif self.stage == BODY:
            if data or not more:
                self.link.send_data(self._stream, data, not more)
        else:
            return False
        if not more:
            self.stage = COMPLETE
        return True

    cdef int _reply_whole(self, bytes data) except -1:
        link, stream = self.link, self._stream
        if (
            isinstance(link, LinkState)
            and isinstance(stream, StreamState)
            and send_whole_reply(<LinkState>link, <StreamState>stream, self._head, data, not data)
        ):
            return 0
        if data:
            link.send_whole_reply(stream, self._head, data)
        else:
            link.send_reply(stream, self._head, True)
        return 0

    cdef bint has_much_pending(self) except -1:
        """Whether who sends is to wait."""
        return self._stream.pending_bytes > MAX_PENDING_BYTES

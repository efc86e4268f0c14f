# cython: language_level=3
"""A client of HTTP/1 (router/clients/http1.py) that asks for one thing after the other.

Taken: a request that comes alone, and goes to an exchange at once; a reply that is sent whole, or that says its length, on
a connection that goes on; a piece of one that is sent as it is. Declined: all else, and whatever another kind of client
is asked.
"""

from cpython.bytes cimport PyBytes_GET_SIZE

from zerogate.native cimport sockets
from zerogate.native.desk cimport DeskState, make_exchange
from zerogate.native.faces cimport UsualFace
from zerogate.native.heads cimport ReplyHead, RequestHead
from zerogate.native.http1 cimport (
    ConnectionState,
    frame_head,
    frame_whole,
    is_body_bare,
    is_idle,
    take_head,
    try_finish,
)
from zerogate.native.pieces cimport VIEW_BYTES, join_small

cdef enum:
    BODY_CREDIT_BYTES = 64 * 1024  # router/faces.py
    HIGH_WATER_BYTES = 256 * 1024  # router/sockets.py

cdef object _write_pieces
# `write_due` below, as the event loop is given it; who is due, and in which event loop.
cdef object _write_due
cdef list _due = []
cdef object _due_loop


def set_parts(write_pieces):
    """transports.py, write_pieces. What is compiled imports nothing."""
    global _write_pieces
    _write_pieces = write_pieces


cdef class ClientState:
    """Below router/clients/http1.py, Http1Client."""


cdef class FastClient(ClientState):
    """Before router/clients/http1.py, CarefulHttp1Client."""

    def data_received(self, data):
        try:
            if _take_request(self, data):
                return
        except Exception as error:
            self.break_off(error)
            return
        super().data_received(data)


cdef bint _take_request(ClientState client, data) except -1:
    """router/clients/http1.py, CarefulHttp1Client.data_received, and ._begin: of a request alone. False if it is declined."""
    cdef ConnectionState connection = client._connection
    cdef RequestHead head = take_head(connection, data)
    if head is None:
        return False
    client._is_handing_on = True
    client._timed = None
    client._credit_bytes = BODY_CREDIT_BYTES
    client._is_body_held = False
    client.bytes_out = 0
    client._exchange = exchange = make_exchange(client._desk, client, head, client._forwarding)
    if isinstance(exchange, UsualFace):
        (<UsualFace>exchange).start()
    else:
        exchange.begin()
    client._is_handing_on = False
    if client._exchange is None or connection._unread or client._is_paused:
        client._hand_on(client._connection.next())
    return True


cdef bint try_send_whole(client, ReplyHead head, bytes body) except -1:
    """Client.send_whole; router/clients/replies.py, Http1Replies.send_whole. False if it is declined, and nothing sent."""
    cdef ClientState usual
    cdef DeskState desk
    cdef bytes octets
    if not isinstance(client, ClientState):
        return False
    usual = client
    desk = usual._desk
    if desk.is_stopping:
        return False
    octets = frame_whole(usual._connection, head, body, desk.date.value)
    if octets is None:
        return False
    usual.bytes_out += PyBytes_GET_SIZE(octets)
    sockets.write(usual._transport, usual._descriptor, octets)
    return True


cdef bint try_send_head(client, ReplyHead head) except -1:
    """Client.send_head, of a reply that says its length; router/clients/replies.py, Http1Replies.send_head. False if it is
    declined, and nothing sent."""
    cdef ClientState usual
    cdef DeskState desk
    cdef bytes octets
    if not isinstance(client, ClientState):
        return False
    usual = client
    desk = usual._desk
    if desk.is_stopping:
        return False
    octets = frame_head(usual._connection, head, desk.date.value)
    if octets is None:
        return False
    _hold(usual, octets, PyBytes_GET_SIZE(octets))
    return True


cdef bint try_send_body(ClientState client, data, Py_ssize_t size) except -1:
    """router/clients/replies.py, Http1Replies.send_body. False if it is declined."""
    if not is_body_bare(client._connection):
        return False
    if size < VIEW_BYTES or client._transport.get_write_buffer_size():
        client._held.append(data)
        _write_held(client)
    else:
        _hold(client, data, size)
    return True


cdef bint try_send_end(ClientState client) except -1:
    """router/clients/replies.py, Http1Replies.send_end. False if it is declined."""
    if not try_finish(client._connection):
        return False
    _write_held(client)
    return True


cdef int _hold(ClientState client, octets, Py_ssize_t size) except -1:
    """router/clients/replies.py, Http1Replies._hold: one callback for all clients of an event loop that are due in its turn."""
    global _due_loop
    if not client._held:
        loop = client._desk.loop
        if _due and loop is not _due_loop and _due_loop.is_closed():
            _due.clear()  # What was due there never comes.
        if not _due:
            # In this order: another event loop's thread may have its turn within a call.
            _due_loop = loop
            _due.append(client)
            loop.call_soon(_write_due)
        elif loop is _due_loop:
            _due.append(client)
        else:
            loop.call_soon(client._write_held)
    client._held.append(octets)
    client._held_bytes += size
    if client._held_bytes >= HIGH_WATER_BYTES:
        _write_held(client)
    return 0


def write_due():
    """See `_hold`. What fails costs this client, and none that is due behind it."""
    cdef list due = _due[:]
    _due.clear()
    for client in due:
        try:
            _write_held(client)
        except Exception as error:
            client.break_off(error)


cdef int _write_held(ClientState client) except -1:
    """router/clients/replies.py, Http1Replies._write_held."""
    cdef list held = client._held
    if held:
        client._held = []
        client._held_bytes = 0
        for piece in held:
            client.bytes_out += len(piece)
        sockets.write_pieces(client._transport, client._descriptor, join_small(held), _write_pieces)
    return 0


cdef int end(client) except -1:
    """Client.end; router/clients/http1.py, Http1Client.end."""
    cdef ClientState usual
    cdef DeskState desk
    if not isinstance(client, ClientState):
        client.end()
        return 0
    usual = client
    usual._exchange = None
    if not usual._is_paused and is_idle(usual._connection):
        desk = usual._desk
        usual.deadline = desk.deadlines.now + desk.keepalive_timeout
    elif not usual._is_handing_on:
        usual._go_on()
    return 0


cdef int expect(client, double seconds) except -1:
    """Client.expect; router/clients/http1.py, Http1Client.expect."""
    if isinstance(client, ClientState) and not (<ClientState>client)._connection.is_half_closed:
        (<ClientState>client).deadline = (<ClientState>client)._desk.deadlines.now + seconds
    else:
        client.expect(seconds)
    return 0


_write_due = write_due

# cython: language_level=3
"""A client of HTTP/1 (router/clients/http1.py) that asks for one thing after the other.

Taken: a request that comes alone, and goes to an exchange at once; a reply that is sent whole, on a connection that goes
on; a piece of one that is sent as it is. Declined: all else, and whatever another kind of client is asked.
"""

from cpython.bytes cimport PyBytes_GET_SIZE

from zerogate.native.desk cimport make_exchange
from zerogate.native.heads cimport ReplyHead, RequestHead
from zerogate.native.http1 cimport ConnectionState, frame_whole, is_body_bare, is_idle, take_head
from zerogate.native.pieces cimport VIEW_BYTES

cdef enum:
    BODY_CREDIT_BYTES = 64 * 1024  # router/faces.py
    HIGH_WATER_BYTES = 256 * 1024  # router/sockets.py


cdef class ClientState:
    """Below router/clients/http1.py, Http1Client."""


def take_request(ClientState client not None, data):
    """router/clients/http1.py, Http1Client.data_received, and ._begin: of a request alone. False if it is declined."""
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
    exchange.begin()
    client._is_handing_on = False
    if client._exchange is None or connection._unread or client._is_paused:
        client._hand_on(client._connection.next())
    return True


cdef bint try_send_whole(client, ReplyHead head, bytes body) except -1:
    """Client.send_whole; router/clients/http1.py, Http1Client.send_whole. False if it is declined, and nothing sent."""
    cdef ClientState usual
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
    usual._transport.write(octets)
    return True


cdef bint try_send_body(ClientState client, data, Py_ssize_t size) except -1:
    """router/clients/http1.py, Http1Client.send_body. False if it is declined."""
    if not is_body_bare(client._connection):
        return False
    if size < VIEW_BYTES or client._transport.get_write_buffer_size():
        client._write(data)
        return True
    if not client._held:
        client._desk.loop.call_soon(client._write_held)
    client._held.append(data)
    client._held_bytes += size
    if client._held_bytes >= HIGH_WATER_BYTES:
        client._write_held()
    return True


cdef int end(client) except -1:
    """Client.end; router/clients/http1.py, Http1Client.end."""
    cdef ClientState usual
    if not isinstance(client, ClientState):
        client.end()
        return 0
    usual = client
    usual._exchange = None
    if not usual._is_paused and is_idle(usual._connection):
        desk = usual._desk
        usual.deadline = <double>desk.deadlines.now + <double>desk.settings.keepalive_timeout
    elif not usual._is_handing_on:
        usual._go_on()
    return 0


cdef int expect(client, double seconds) except -1:
    """Client.expect; router/clients/http1.py, Http1Client.expect."""
    if isinstance(client, ClientState) and not (<ClientState>client)._connection.is_half_closed:
        (<ClientState>client).deadline = <double>(<ClientState>client)._desk.deadlines.now + seconds
    else:
        client.expect(seconds)
    return 0

# cython: language_level=3
"""A client of HTTP/1 (router/clients/http1.py) that asks for one thing after the other.

Taken: a request that comes alone, and goes to an exchange at once; a reply that is sent whole, on a connection that goes
on. Declined: all else, and whatever another kind of client is asked.
"""

from cpython.bytes cimport PyBytes_GET_SIZE

from zerogate.native.desk cimport make_exchange
from zerogate.native.heads cimport ReplyHead, RequestHead
from zerogate.native.http1 cimport ConnectionState, frame_whole, is_idle, take_head

cdef enum:
    BODY_CREDIT_BYTES = 64 * 1024  # router/faces.py


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

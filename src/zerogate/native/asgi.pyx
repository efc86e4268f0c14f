# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""ASGI's `receive` and `send` (worker/asgi.py), for what most applications say and ask.

Taken: `http.response.start` with headers that can be encoded natively (blocks.pyx) and no trailers; `http.response.body`
of bytes; a body that has come to its end before it is asked for. Declined: all other messages, and whatever has no place
where the reply stands. Those stay with the coroutines that are `receive` and `send` in Python, as does all waiting.
"""

from zerogate.native.blocks cimport reply_block
from zerogate.native.calls cimport COMPLETE, HEAD, NEW, FastCall


def take_message(FastCall call not None, message):
    """worker/asgi.py, send: None if it is not taken, else whether there is so much by now that one is to wait."""
    if not _take(call, message):
        return None
    return call.stage != HEAD and call.has_much_pending()


cdef bint _take(FastCall call, message) except -1:
    """Send the message, if it is a usual one."""
    cdef dict fields
    if type(message) is not dict:
        return False
    fields = <dict>message
    kind = fields.get("type")
    if call.stage == NEW:
        if kind != "http.response.start" or fields.get("trailers", False) is not False:
            return False
        block = reply_block(fields.get("status"), fields.get("headers", ()))
        return block is not None and call.take_start(block)
    if kind != "http.response.body":
        return False
    more = fields.get("more_body", False)
    return (more is False or more is True) and call.take_piece(fields.get("body", b""), more)


def take_body(FastCall call not None):
    """worker/asgi.py, receive, and worker/call.py, CarefulCall.take_body: the last that there is of the body, if it was not told."""
    if call.stage >= COMPLETE or not call.has_body_ended or call._is_body_told:
        return None
    body, call._body = call._body, None
    call._is_body_told = True
    return {"type": "http.request", "body": b"".join(body) if body else b"", "more_body": False}

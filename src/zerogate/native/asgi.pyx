# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""ASGI's `receive` and `send` (worker/asgi.py), for what most applications say and ask.

Taken: `http.response.start` with headers that can be encoded natively (blocks.pyx) and no trailers; `http.response.body`
of bytes; a body that has come to its end before it is asked for. Declined: all other messages, and whatever has no place
where the reply stands. Those go to the coroutines that are `receive` and `send` in Python, as does all waiting.

What is awaited has an effect when it is, not before, as with a coroutine.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

from zerogate.native.blocks cimport reply_block
from zerogate.native.calls cimport COMPLETE, HEAD, NEW, FastCall

cdef extern from "Python.h":
    ctypedef enum PySendResult:
        PYGEN_RETURN
        PYGEN_ERROR
        PYGEN_NEXT
    ctypedef PySendResult (*SendFunction "sendfunc")(PyObject*, PyObject*, PyObject**)
    ctypedef struct AsyncMethods "PyAsyncMethods":
        SendFunction am_send
    ctypedef struct Type "PyTypeObject":
        AsyncMethods* tp_as_async
    PySendResult PyIter_Send(object, object, PyObject**)

# worker/asgi.py: coroutines for what is declined; see `set_coroutines`.
cdef object _receive, _send

# What stands for the message where one is to be received.
cdef object RECEIVING = object()


def set_coroutines(receive, send):
    """worker/asgi.py, receive and send. What is compiled imports nothing."""
    global _receive, _send
    _receive, _send = receive, send


def channel(FastCall call not None):
    """worker/asgi.py, bind: `receive` and `send` for a call."""
    made = Channel.__new__(Channel)
    (<Channel>made).call = call
    return made.receive, made.send


@cython.final
cdef class Channel:
    """What `receive` and `send` are bound to."""

    cdef FastCall call

    def receive(self):
        """worker/asgi.py, receive."""
        return _new_step(self.call, RECEIVING)

    def send(self, message):
        """worker/asgi.py, send."""
        return _new_step(self.call, message)


@cython.final
@cython.freelist(64)
cdef class Step:
    """One message to be received or sent, once this is awaited. To others it is a coroutine (collections.abc).

    call: None once it has begun
    coroutine: who has taken over
    """

    cdef FastCall call
    cdef object message, coroutine

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return _resume(self, None)

    def send(self, value):
        return _resume(self, value)

    def throw(self, *error):
        if self.call is not None:
            _hand_over(self)
        elif self.coroutine is None:
            raise RuntimeError(REUSED)
        return self.coroutine.throw(*error)

    def close(self):
        self.call = None
        if self.coroutine is not None:
            self.coroutine.close()

    def __dealloc__(self):
        if self.call is not None:
            _hand_over(self)  # A coroutine that nobody has awaited says so.


REUSED = "cannot reuse already awaited coroutine"


cdef inline Step _new_step(FastCall call, message):
    cdef Step step = Step.__new__(Step)
    step.call = call
    step.message = message
    return step


cdef int _hand_over(Step step) except -1:
    """Let the Python do it."""
    call, step.call = step.call, None
    step.coroutine = _receive(call) if step.message is RECEIVING else _send(call, step.message)
    return 0


cdef object _resume(Step step, value):
    cdef PyObject* result = NULL
    cdef PySendResult told = _advance(<PyObject*>step, <PyObject*>value, &result)
    outcome = <object>result
    Py_DECREF(outcome)  # `result` was a reference of ours.
    if told == PYGEN_NEXT:
        return outcome
    raise StopIteration(outcome)


cdef PySendResult _advance(PyObject* of, PyObject* value, PyObject** result) except PYGEN_ERROR:
    """What `await` asks for (PyAsyncMethods, am_send): `result` is a new reference."""
    cdef Step step = <Step>of
    cdef FastCall call = step.call
    if call is None:
        if step.coroutine is None:
            raise RuntimeError(REUSED)
    elif step.message is RECEIVING:
        message = _take_body(call)
        if message is None:
            _hand_over(step)
        else:
            step.call = None
            return _return(message, result)
    elif not _take(call, step.message):
        _hand_over(step)
    elif call.stage != HEAD and call.has_much_pending():
        step.call = None
        step.coroutine = call.drain()
    else:
        step.call = None
        return _return(None, result)
    return PyIter_Send(step.coroutine, <object>value, result)


cdef inline PySendResult _return(outcome, PyObject** result) noexcept:
    Py_INCREF(outcome)
    result[0] = <PyObject*>outcome
    return PYGEN_RETURN


# As a coroutine has it. Cython makes `__next__` of a class, but not this, which spares an exception for each value.
(<Type*>Step).tp_as_async.am_send = <SendFunction>_advance


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


cdef dict _take_body(FastCall call):
    """worker/call.py, CarefulCall.take_body: the last that there is of the body, if it was not told."""
    if call.stage >= COMPLETE or not call.has_body_ended or call._is_body_told:
        return None
    body, call._body = call._body, None
    call._is_body_told = True
    return {"type": "http.request", "body": b"".join(body) if body else b"", "more_body": False}

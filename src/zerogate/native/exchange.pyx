# cython: language_level=3
"""Most exchanges, from end to end (router/exchange/ and what it stands on): a request without a body, a worker that has
room at once, and a reply that comes whole, or says its length and goes to a client that keeps up. And most pieces of
replies to other requests.

A UsualExchange knows two ways through the table of router/exchange/exchange.py: from `begin` by `on_whole_reply` to the
end, or by `on_reply` and `on_data`. With whatever else happens an Exchange takes its place, in the state that it would
be in by then, and is told of it: so all that is rare is decided there alone. What is looked up by name in the Python of
other rooms is so in the words of its faces.
"""

from time import monotonic

from zerogate.native.blocks cimport write_request
from zerogate.native.books cimport StreamState
from zerogate.native.client cimport (
    ClientState,
    end,
    expect,
    try_send_body,
    try_send_end,
    try_send_head,
    try_send_whole,
)
from zerogate.native.desk cimport ForwardingState, note
from zerogate.native.faces cimport UsualFace
from zerogate.native.heads cimport ReplyHead, RequestHead
from zerogate.native.link cimport LinkState, consumed, open_stream
from zerogate.native.names cimport CLAIM, UNDERSCORE
from zerogate.native.turns cimport DispatcherState, TurnsState, WorkerState, free_slot, pick

cdef enum:
    MIN_STREAM_IDS = 16  # router/dispatcher.py

# router/exchange/passage.py, State.
cdef enum:
    WAITING = 1
    DUE = 2
    OPEN = 3
    DONE = 6

cdef object _Exchange, _ReplyBody, _request_block


def set_parts(exchange, reply_body, request_block):
    """What takes over, its account of a reply's body, and what writes the blocks that are declined. What is compiled
    imports nothing."""
    global _Exchange, _ReplyBody, _request_block
    _Exchange, _ReplyBody, _request_block = exchange, reply_body, request_block


def make_exchange(dispatcher, desk, client, head, forwarding, bytes request_id not None):
    """An Exchange, or what takes a shorter way as long as nothing unusual happens: of a head that was read natively."""
    cdef UsualExchange exchange
    if (
        type(head) is not RequestHead
        or (<RequestHead>head).lines == NULL
        or (<RequestHead>head).has_body
        or not isinstance(dispatcher, DispatcherState)
    ):
        return _Exchange(dispatcher, desk, client, head, forwarding, request_id)
    exchange = UsualExchange.__new__(UsualExchange)
    exchange._dispatcher = dispatcher
    exchange._desk = desk
    exchange._client = client
    exchange._forwarding = forwarding
    exchange.head = head
    exchange.request_id = request_id
    exchange.arrived = monotonic()
    exchange._state = WAITING
    return exchange


cdef class UsualExchange(UsualFace):
    """See the module. `begin` and the stream's events are of the faces; so is all that an Exchange has beyond them."""

    cdef DispatcherState _dispatcher
    cdef ForwardingState _forwarding
    cdef object _desk, _client, _careful
    cdef WorkerState _worker
    cdef StreamState _stream
    cdef ReplyHead _reply
    cdef long long _left
    cdef int _state
    cdef bint _has_ended
    cdef readonly RequestHead head
    cdef readonly bytes request_id
    cdef readonly double arrived
    cdef readonly int status

    def __repr__(self):
        return f"<UsualExchange {self.request_id!r} {self.head!r} {self.worker_name or 'nobody'}>"

    def __getattr__(self, name):
        """What an exchange is asked for beyond what is here is an Exchange's matter."""
        return getattr(self._take_over(), name)

    # For the access log (router/access_log.py, Entry)

    @property
    def worker_name(self):
        return "" if self._worker is None else self._worker.name

    @property
    def worker_labels(self):
        return "" if self._worker is None else self._worker.terms.label_text

    @property
    def error_code(self):
        return "" if self._careful is None else self._careful.error_code

    @property
    def retries(self):
        return 0 if self._careful is None else self._careful.retries

    # From the client

    def begin(self):
        self.start()

    cdef int start(self) except -1:
        """router/exchange/exchange.py, Exchange.begin; router/dispatcher.py, Dispatcher.submit."""
        cdef RequestHead head = self.head
        cdef WorkerState worker = None
        cdef TurnsState pool = self._dispatcher.routes.find(head.host, head.path)
        if pool is not None and not pool.has_rules:
            worker = pick(pool)
        if worker is None:
            self._take_over().begin()
        elif not self._try_to_send(worker):
            self._dispatcher.assign(self._take_over(), worker, pool.route.prefix)
        return 0

    cdef bint _try_to_send(self, WorkerState worker) except -1:
        try:
            return self._send(worker)
        except Exception:
            if self._state != WAITING:
                raise
            return False  # Nothing was sent: an Exchange meets the same, and gives the slot back.

    cdef bint _send(self, WorkerState worker) except -1:
        """router/exchange/request_half.py, RequestHalf._send; router/dispatcher.py, Dispatcher.assign."""
        cdef RequestHead head = self.head
        cdef StreamState stream
        cdef bytes block
        if worker.strips_prefix or worker.ids_left < MIN_STREAM_IDS:
            return False
        cdef ForwardingState forwarding = self._forwarding
        if head.marks & (CLAIM | UNDERSCORE):
            block = _request_block(head, forwarding, self.request_id)
        else:
            block = write_request(
                head, head.host, forwarding.own_pairs, forwarding.n_own_pairs, self.request_id, False, False
            )
        stream = open_stream(<LinkState?>worker.link, block, self)
        if stream is None:
            return False
        self._stream = stream
        self._worker = worker
        self._state = DUE
        worker.served += 1
        expect(self._client, worker.timeout_s)
        return True

    # From the link

    def on_whole_reply(self, fields, data):
        self.hear_whole_reply(fields, data)

    cdef int hear_whole_reply(self, fields, data) except -1:
        # What comes by the careful session may be a view (wire/pieces.py).
        if type(data) is not bytes or not self._pass_on(fields, data):
            self._take_over().on_whole_reply(fields, data)
        return 0

    def on_reply(self, fields, fin):
        if not (self._pass_on(fields, b"") if fin else self._begin_reply(fields)):
            self._take_over().on_reply(fields, fin)

    def on_data(self, data, bint fin):
        self.hear_data(data, fin)

    cdef int hear_data(self, data, bint fin) except -1:
        if not self._pass_piece(data, fin):
            self._take_over().on_data(data, fin)
        return 0

    cdef bint _pass_on(self, fields, bytes data) except -1:
        """router/exchange/reply_half.py, ReplyHalf._whole, and ._reply of one that has no body."""
        if self._state != DUE or type(fields) is not ReplyHead or not try_send_whole(self._client, fields, data):
            return False
        self.status = (<ReplyHead>fields).status
        self._finish()
        return True

    cdef bint _begin_reply(self, fields) except -1:
        """router/exchange/reply_half.py, ReplyHalf._reply, of one that says its length and is no stream of events."""
        cdef ReplyHead head
        if self._state != DUE or type(fields) is not ReplyHead:
            return False
        head = fields
        if head.body_length is None or type(head.note) is not bytes or b"event-stream" in (<bytes>head.note).lower():
            return False
        if not try_send_head(self._client, head):
            return False
        self._reply = head
        self._left = head.body_length
        self.status = head.status
        self._state = OPEN
        expect(self._client, self._worker.idle_timeout_s)
        return True

    cdef bint _pass_piece(self, data, bint fin) except -1:
        """router/exchange/reply_half.py, ReplyHalf._send_data, of a client that keeps up."""
        cdef Py_ssize_t size = len(data)
        cdef ClientState client
        if self._state != OPEN or self._careful is not None:
            return False
        client = self._client
        if not client.is_writable or (size != self._left if fin else not size or size > self._left):
            return False
        if size and not try_send_body(client, data, size):
            return False
        self._left -= size
        if fin:
            if not try_send_end(client):
                client.send_end()
            self._finish()
        elif client.is_writable:
            consumed(<LinkState?>self._worker.link, self._stream, size)
            expect(client, self._worker.idle_timeout_s)
        else:
            careful = self._take_over()
            careful._account(data)
            careful._expect_more()
        return True

    cdef int _finish(self) except -1:
        """router/exchange/passage.py, Passage._finish and Passage._end. The stream has ended, both ways."""
        cdef WorkerState worker = self._worker
        self._stream.handler = None
        self._stream = None
        self._state = DONE
        worker.failures = 0
        _free_slot(self._dispatcher, worker)
        self._has_ended = True
        try:
            note(self._desk, self, self._client, self.status)
        finally:
            end(self._client)
        return 0

    cdef object _take_over(self):
        """The Exchange that stands in this one's place from now on."""
        body = None
        if self._careful is None:
            self._careful = made = _Exchange(
                self._dispatcher, self._desk, self._client, self.head, self._forwarding, self.request_id
            )
            if self._reply is not None:
                body = _ReplyBody(self._reply, self.head.method)
                body.left = self._left
            made.take_over(self._state, self.arrived, self._worker, self._stream, self.status, self._has_ended, body)
        return self._careful


def send_data(exchange, data, bint fin):
    """router/exchange/reply_half.py, ReplyHalf._send_data. False if it is declined: the last piece, and one for a client
    that does not keep up."""
    cdef ClientState client
    cdef WorkerState worker
    cdef Py_ssize_t size
    if fin or exchange.state != OPEN or not isinstance(exchange._client, ClientState) or exchange._watch_ends:
        return False
    client = exchange._client
    body = exchange._reply_body
    size = len(data)
    left = body.left
    if not size or not client.is_writable or left is None or <long long>left < size:
        return False
    if not try_send_body(client, data, size):
        return False
    body.left = <long long>left - size
    if client.is_writable:
        worker = exchange.worker
        consumed(<LinkState?>worker.link, <StreamState?>exchange._stream, size)
        expect(client, worker.idle_timeout_s)
    else:
        exchange._account(data)
        exchange._expect_more()
    return True


cdef int _free_slot(DispatcherState dispatcher, WorkerState worker) except -1:
    """router/dispatcher.py, Dispatcher.free_slot, where nobody waits for it."""
    if not worker.has_room or dispatcher.waiting:
        dispatcher.free_slot(worker)
    else:
        free_slot(worker)
    return 0

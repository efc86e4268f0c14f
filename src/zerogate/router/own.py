"""Requests that the router answers by itself, through the same faces as everybody."""

import time
from collections.abc import Callable

from zerogate.router.desk import Desk
from zerogate.router.faces import Client, Pairs
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead


class OwnExchange:
    """One request that the router answers by itself: as soon as it has begun, whatever its body.

    answer: makes the whole reply. May raise HttpError
    """

    worker_name = worker_labels = ""
    retries = 0

    def __init__(
        self,
        desk: Desk,
        client: Client,
        head: RequestHead,
        request_id: bytes,
        answer: Callable[[], tuple[ReplyHead, bytes]],
    ) -> None:
        self._desk = desk
        self._client = client
        self._answer = answer
        self.head = head
        self.request_id = request_id
        self.arrived = time.monotonic()
        self.status = 0
        self.error_code = ""

    def begin(self) -> None:
        try:
            head, body = self._answer()
            self.status = head.status
            self._client.send_whole(head, body)
        except HttpError as error:
            self._send_error(error)
        self._end()

    def _send_error(self, error: HttpError) -> None:
        self.status, self.error_code = error.status, error.code
        self._client.send_error(error, self.request_id)

    def _end(self) -> None:
        self._desk.note(self, self._client)
        self._client.end()

    def receive_body(self, data: bytes) -> None:
        """The reply is out: nobody reads on."""

    def receive_pause(self) -> None:
        """The reply is out."""

    def receive_end(self, trailers: Pairs) -> None:
        """The reply is out."""

    def resume_reply(self) -> None:
        """All of it was sent at once."""

    def reject_request(self, error: HttpError) -> None:
        """The reply is out."""

    def abandon(self) -> None:
        """The reply is out."""

    def expire(self) -> None:
        """The reply is out."""

    def shut_down(self) -> None:
        """The reply is out."""

    def break_off(self) -> None:
        self._client.cut()
        self._client.end()

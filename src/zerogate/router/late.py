"""A request that the router answers by itself, when it has asked others."""

from collections.abc import Callable

from zerogate.router.desk import Desk
from zerogate.router.faces import Client
from zerogate.router.own import OwnExchange
from zerogate.wire.http.errors import SHUTTING_DOWN, HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead


class LateExchange(OwnExchange):
    """`find` is called at first, and calls what it is given when the answer can be made."""

    def __init__(
        self,
        desk: Desk,
        client: Client,
        head: RequestHead,
        request_id: bytes,
        answer: Callable[[], tuple[ReplyHead, bytes]],
        find: Callable[[Callable[[], None]], None],
    ) -> None:
        super().__init__(desk, client, head, request_id, answer)
        self._find = find
        self._is_over = False

    def begin(self) -> None:
        self._find(self._reply)

    def _reply(self) -> None:
        if not self._is_over:
            self._is_over = True
            super().begin()

    def reject_request(self, error: HttpError) -> None:
        self._refuse(error)

    def abandon(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._client.end()

    def shut_down(self) -> None:
        self._refuse(HttpError(SHUTTING_DOWN))

    def break_off(self) -> None:
        self._is_over = True
        super().break_off()

    def _refuse(self, error: HttpError) -> None:
        if not self._is_over:
            self._is_over = True
            self._send_error(error)
            self._end()

"""A stream's handler: a whole reply is a reply and its data, to whom does not care that they came together."""

from zerogate.link.handlers import Fields, StreamHandler


class Listener(StreamHandler):
    """Hears of pieces only."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self.heard.append(("reply", fields, fin))

    def on_data(self, data: bytes, fin: bool) -> None:
        self.heard.append(("data", data, fin))

    def on_headers(self, fields: Fields, fin: bool) -> None: ...

    def on_writable(self) -> None: ...

    def on_reset(self, status: int) -> None: ...

    def on_lost(self, reason: str) -> None: ...


def test_a_whole_reply_is_heard_as_its_pieces() -> None:
    listener = Listener()
    listener.on_whole_reply({b":status": b"200"}, b"abc")
    assert listener.heard == [("reply", {b":status": b"200"}, False), ("data", b"abc", True)]


def test_an_empty_one_ends_as_well() -> None:
    listener = Listener()
    listener.on_whole_reply({b":status": b"204"}, b"")
    assert listener.heard[-1] == ("data", b"", True)

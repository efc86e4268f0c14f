"""What others have said, in a log."""

from tests.support.each import each
from zerogate.worker.printable import printable


@each(
    ("octets", "text"),
    [
        (b"GET", "GET"),
        (b"/a%20b;c=d'e", "/a%20b;c=d'e"),
        (b'/a"b', '/a\\"b'),
        (b"/a\\n", "/a\\\\n"),
        (b"\r\n\t\0\x1b[31m", "\\x0d\\x0a\\x09\\x00\\x1b[31m"),
        (b"\x7f\x80\x85\x9f\xa0\xff", "\\x7f\\x80\\x85\\x9f\\xa0\\xff"),
        ("caf\u00e9\u2028".encode(), "caf\\xc3\\xa9\\xe2\\x80\\xa8"),
    ],
)
def test_what_is_written(octets: bytes, text: str) -> None:
    assert printable(octets) == text


def test_every_octet_is_told_from_every_other() -> None:
    texts = [printable(bytes([octet])) for octet in range(256)]
    assert len(set(texts)) == 256
    assert all(text.isascii() and text.isprintable() for text in texts)

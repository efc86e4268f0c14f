"""A grammar of what clients of HTTP/1 say: pipelines of requests, each a list of atoms."""

from collections.abc import Callable

from tests.support.fuzz.mutations import Atoms, Dice

# Where bent requests go: to workers that lie, to those that don't, and nowhere.
HOSTS = (b"fuzz.example", b"fuzz.example", b"plain.example", b"nowhere.example", b"")
METHODS = (b"GET", b"GET", b"HEAD", b"OPTIONS", b"DELETE")
BODY_METHODS = (b"POST", b"PUT", b"PATCH", b"QUERY", b"GET")
FIELDS = (
    b"accept: application/json\r\n",
    b"cookie: a=1; b=2\r\n",
    b"cookie: c=3\r\n",
    b"connection: keep-alive\r\n",
    b"connection: close\r\n",
    b"connection: x-named, te\r\nx-named: 1\r\n",
    b"x-forwarded-for: 192.0.2.1, unknown\r\n",
    b"x-request-id: theirs\r\n",
    b"te: trailers\r\n",
    b"range: bytes=0-1\r\n",
    b"x-empty:\r\n",
    b"x-long: " + b"l" * 5000 + b"\r\n",
)
WEBSOCKET = (
    b"connection: upgrade\r\n",
    b"upgrade: websocket\r\n",
    b"sec-websocket-version: 13\r\n",
    b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
)
SIZES = (0, 1, 5, 100, 4096, 70_000, 300_000)
MAX_PIPELINE = 5


def pipeline(dice: Dice) -> Atoms:
    """Requests one behind the other."""
    atoms: Atoms = []
    for _ in range(dice.choice((1, 1, 1, 2, MAX_PIPELINE))):
        atoms += dice.choice(KINDS)(dice)
    return atoms


def plain(dice: Dice) -> Atoms:
    return [*_head(dice, dice.choice(METHODS)), b"\r\n"]


def with_length(dice: Dice) -> Atoms:
    size = dice.choice(SIZES)
    expect = [b"expect: 100-continue\r\n"] if dice.random() < 0.2 else []
    length = b"content-length: %d\r\n" % size
    return [*_head(dice, dice.choice(BODY_METHODS)), *expect, length, b"\r\n", *_pieces(dice, size)]


def chunked(dice: Dice) -> Atoms:
    atoms = [*_head(dice, dice.choice(BODY_METHODS)), b"transfer-encoding: chunked\r\n", b"\r\n"]
    for piece in _pieces(dice, dice.choice(SIZES)):
        extension = dice.choice((b"", b"", b";x=y", b' ; x="y;z"'))
        atoms += [b"%x%b\r\n" % (len(piece), extension), piece, b"\r\n"]
    trailers = [b"x-sum: 1\r\n"] if dice.random() < 0.3 else []
    return [*atoms, b"0\r\n", *trailers, b"\r\n"]


def upgrade(dice: Dice) -> Atoms:
    return [*_head(dice, b"GET"), *WEBSOCKET, b"\r\n", *_pieces(dice, dice.choice((0, 5, 4096)))]


def odd(dice: Dice) -> Atoms:
    """What is valid, or nearly so, and seldom."""
    return [
        dice.choice(
            (
                b"GET / HTTP/1.0\r\n\r\n",
                b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
                b"\r\nGET / HTTP/1.1\r\nhost: plain.example\r\n\r\n",
                b"GET http://plain.example/x HTTP/1.1\r\nhost: other.example\r\n\r\n",
                b"OPTIONS * HTTP/1.1\r\nhost: plain.example\r\n\r\n",
                b"CONNECT plain.example:80 HTTP/1.1\r\nhost: plain.example\r\n\r\n",
                b"TRACE / HTTP/1.1\r\nhost: plain.example\r\n\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                b"SSH-2.0-OpenSSH_9.2\r\n",
                b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x01NULL",
                b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nhost: plain.example\r\n\r\n",
            )
        )
    ]


KINDS: tuple[Callable[[Dice], Atoms], ...] = (plain, plain, with_length, with_length, chunked, upgrade, odd)


def _head(dice: Dice, method: bytes) -> Atoms:
    target = dice.choice((b"/", b"/slow", b"/pieces", b"/a/b?c=%20d", b"//x%2Fy", b"/" + b"t" * 3000))
    host = dice.choice(HOSTS)
    fields = [dice.choice(FIELDS) for _ in range(dice.choice((0, 1, 3)))]
    return [b"%b %b HTTP/1.1\r\n" % (method, target), *([b"host: %b\r\n" % host] if host else []), *fields]


def _pieces(dice: Dice, size: int) -> Atoms:
    n_pieces = min(size, dice.choice((1, 1, 2, 7)))
    places = [size * number // n_pieces for number in range(n_pieces + 1)] if n_pieces else []
    return [bytes([65 + number % 26]) * (end - start) for number, (start, end) in enumerate(zip(places, places[1:]))]  # noqa: RUF007, B905

"""Both ends of a CURVE connection, for tests, and what went between them."""

from collections.abc import Callable

from tests.zmtp_peer import dealer_end, router_end
from zerogate.wire.zmtp import Connection, CurveClient, CurveServer, KeyPair, make_key_pair

ROUTER_KEYS = make_key_pair()
WORKER_KEYS = make_key_pair()
Meddler = Callable[[int, bytes], bytes]


def server(*key_pairs: KeyPair, listed: frozenset[bytes] = frozenset({WORKER_KEYS.public})) -> CurveServer:
    return CurveServer(key_pairs or (ROUTER_KEYS,), listed.__contains__)


def client(key_pair: KeyPair = WORKER_KEYS, server_key: bytes = ROUTER_KEYS.public) -> CurveClient:
    return CurveClient(key_pair, server_key)


def ends(at_router: CurveServer | None = None, at_worker: CurveClient | None = None) -> tuple[Connection, Connection]:
    return router_end(mechanisms=[at_router or server()]), dealer_end(mechanisms=[at_worker or client()])


def meet(router: Connection, worker: Connection, meddle: Meddler = lambda _, octets: octets) -> list[bytes]:
    """Carry what each has to say to the other until both are silent. Returns what went by, as it was sent: greetings,
    HELLO, WELCOME, INITIATE, READY. `meddle` may change each on its way.
    """
    went: list[bytes] = []
    ends = [worker, router]
    while True:
        sender, receiver = ends
        ends.reverse()
        octets = sender.take_output()
        if octets:
            went.append(octets)
            receiver.receive(meddle(len(went) - 1, octets))
        elif not ends[0]._output:
            return went


def joined() -> tuple[Connection, Connection]:
    """Both ends in traffic."""
    router, worker = ends()
    meet(router, worker)
    assert router.is_ready
    assert worker.is_ready
    return router, worker

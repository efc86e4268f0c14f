"""The whole link protocol against libzmq with CURVE: its DEALER as a worker of our router, which has keys, and our
worker with its ROUTER as router. Whoever records what goes by reads nothing of it.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq

from tests.support.keyed_site import KeyedSite, keyed_site
from tests.support.libzmq import Dealer, Routers
from tests.support.processes import make_site
from tests.support.sites import APPS, ROOT
from tests.support.tcp_proxy import TcpProxy
from zerogate.wire.spdy import events
from zerogate.wire.zmtp import encode_key, make_key_pair

pytestmark = pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq has no CURVE")

MARKER = b"a marker that nobody on the way may read"


@pytest.fixture
def context() -> Iterator["zmq.Context[zmq.Socket[bytes]]"]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


def keys_of(line: str) -> tuple[bytes, bytes]:
    """The secret key and the router's, of a worker's command line."""
    secret = line.partition("ZEROGATE_KEY='")[2].partition("'")[0]
    router_key = line.partition("--router-key ")[2].split()[0].strip("'")
    return secret.encode(), router_key.encode()


def dealer(
    context: "zmq.Context[zmq.Socket[bytes]]", stack: contextlib.ExitStack, endpoint: str, line: str, name: str
) -> Dealer:
    secret, router_key = keys_of(line)
    sock = context.socket(zmq.DEALER)
    stack.callback(sock.close, linger=0)
    stack.callback(sock.disable_monitor)
    sock.curve_secretkey, sock.curve_publickey, sock.curve_serverkey = secret, zmq.curve_public(secret), router_key
    return Dealer(sock, endpoint, name)


def post(site: KeyedSite, body: bytes) -> tuple[int, bytes]:
    status, _, answer = site.get(f"/{MARKER.decode().replace(' ', '-')}", method="POST", body=body)
    return status, answer


def test_a_libzmq_worker_has_a_key_as_any_other(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    with keyed_site() as site, contextlib.ExitStack() as stack:
        site.keyed_router()
        way = stack.enter_context(TcpProxy(site.link_port, records=True))
        line = site.paste_of("foreign")
        worker = dealer(context, stack, way.endpoint, line, "foreign")
        (shown,) = site.status()["workers"]
        assert (shown["name"], shown["key"]) == ("foreign", "foreign")
        for body in (b"", MARKER, MARKER * 5000):
            with ThreadPoolExecutor(1) as client:
                answer = client.submit(post, site, body)
                request = worker.next(events.StreamOpened)
                assert request.fields[b":method"] == b"POST"
                heard = b"" if request.fin else worker.read_body(request.stream)
                worker.reply(request.stream, heard, MARKER)
                assert answer.result(20) == (200, body + MARKER)
        assert len(way.recorded) > 2 * 5000 * len(MARKER)
        for secret in (MARKER, MARKER.replace(b" ", b"-"), b"JOIN", b"foreign", b"content-length"):
            assert secret not in way.recorded


def test_a_libzmq_worker_whose_key_is_revoked_is_lost(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    with keyed_site() as site, contextlib.ExitStack() as stack:
        site.keyed_router()
        worker = dealer(context, stack, site.endpoint, site.paste_of("foreign"), "foreign")
        site.run_keys("revoke", "foreign")
        assert worker.is_lost(20)


def test_our_worker_has_a_libzmq_router_with_keys(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    router_keys, worker_keys = make_key_pair(), make_key_pair()
    sock = context.socket(zmq.ROUTER)
    sock.curve_server = True
    sock.curve_secretkey = encode_key(router_keys.secret).encode()
    sock.curve_publickey = encode_key(router_keys.public).encode()
    port = sock.bind_to_random_port("tcp://127.0.0.1")
    with make_site() as site, TcpProxy(port, records=True) as way:
        routers = Routers(sock)
        env = {"ZEROGATE_KEY": encode_key(worker_keys.secret)}
        words = ("--connect", way.endpoint, "--router-key", encode_key(router_keys.public))
        worker = site.start("worker", f"{APPS}:app", "--name", "ours", *words, cwd=ROOT, env=env)
        router = routers.joined()
        for body in (MARKER, MARKER * 5000):
            status, answer = router.answer(router.request("/echo", body, method="POST"))
            assert (status, answer) == (b"200", body)
        assert len(way.recorded) > 2 * 5000 * len(MARKER)
        for secret in (MARKER, b"JOIN", b"ours", b"zerogate/"):
            assert secret not in way.recorded
        worker.kill()  # it would wait for its router to close the link
    sock.close(linger=0)


def test_our_worker_wants_the_router_it_was_told_of(context: "zmq.Context[zmq.Socket[bytes]]") -> None:
    sock = context.socket(zmq.ROUTER)
    sock.curve_server = True
    sock.curve_publickey, sock.curve_secretkey = zmq.curve_keypair()
    port = sock.bind_to_random_port("tcp://127.0.0.1")
    with make_site() as site:
        env = {"ZEROGATE_KEY": encode_key(make_key_pair().secret)}
        words = ("--connect", f"tcp://127.0.0.1:{port}", "--router-key", encode_key(make_key_pair().public))
        worker = site.start("hello", "ours", *words, env=env)
        worker.wait_output("its key is another one than the router key given here")
    sock.close(linger=0)

"""CURVE: whatever is changed, cut, repeated or swapped on its way is refused with a typed error, and lets nobody in."""

from hypothesis import given
from hypothesis import strategies as st
from tests.curve_ends import ends, joined, meet

from zerogate.errors import ZmtpError

FIRST, LAST = 2, 5  # HELLO, WELCOME, INITIATE, READY among what goes by
HEADER_BYTES = 2


@given(st.integers(FIRST, LAST), st.data())
def test_a_changed_octet(nth: int, data: st.DataObject) -> None:
    def meddle(n: int, octets: bytes) -> bytes:
        if n != nth:
            return octets
        at = data.draw(st.integers(HEADER_BYTES if len(octets) < 258 else 9, len(octets) - 1))
        return octets[:at] + bytes((octets[at] ^ data.draw(st.integers(1, 255)),)) + octets[at + 1 :]

    router, worker = ends()
    meet(router, worker, meddle)
    assert not (router.is_ready and worker.is_ready)
    error = worker.error if nth in (3, 5) else router.error
    assert isinstance(error, ZmtpError)


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=6), st.data())
def test_any_cut_of_the_octets_gives_the_same(messages: list[bytes], data: st.DataObject) -> None:
    router, worker = joined()
    octets = b"".join(worker.encode([message]) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    heard = []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        heard += router.receive(octets[start:end])
    assert heard == messages
    assert router.error is None


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=6), st.data())
def test_order(messages: list[bytes], data: st.DataObject) -> None:
    """Messages in any order: what is heard is those that came in turn, up to the first that did not."""
    router, worker = joined()
    sent = [worker.encode([message]) for message in messages]
    order = data.draw(st.permutations(range(len(sent))))
    heard = [piece for n in order for piece in router.receive(sent[n])]
    fall = next((at for at in range(1, len(order)) if order[at] < order[at - 1]), len(order))
    assert heard == [messages[n] for n in order[:fall]]
    assert (router.error is None) is (fall == len(order))


@given(st.binary(min_size=1, max_size=80), st.data())
def test_changed_traffic(message: bytes, data: st.DataObject) -> None:
    router, worker = joined()
    sealed = worker.encode([message])
    at = data.draw(st.integers(HEADER_BYTES, len(sealed) - 1))
    changed = sealed[:at] + bytes((sealed[at] ^ data.draw(st.integers(1, 255)),)) + sealed[at + 1 :]
    assert router.receive(changed) == []
    assert isinstance(router.error, ZmtpError)
    assert router.encode([b"more"]) == b""


@given(st.binary(max_size=300))
def test_garbage_after_the_greeting(garbage: bytes) -> None:
    router, worker = ends()
    router.receive(worker.take_output()[:64])
    router.receive(garbage)
    assert not router.is_ready
